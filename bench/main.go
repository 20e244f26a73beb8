// Command bench measures a whole agent, what one lease costs it among many,
// what its firewall costs packets, and the CNI plugins:
// the real binary, a real etcd, the real kernel, in network namespaces of their
// own and without root. It prints and judges nothing; README.md beside it says what the columns mean.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/test/twohosts"
)

// options are what the command line says, and what follows from it.
type options struct {
	weft     string // the binary to measure
	only     string // one of the parts; "" is all of them
	peers    []int
	backends []string
	runs     int
	puts     int
	idle     time.Duration
	rounds   int
	calls    int
	slice    time.Duration
	times    int
	outage   time.Duration
	churn    time.Duration
	churnN   []int
	putN     []int
	singles  int
	json     bool

	dir      string // for everything the bench and its agents write
	endpoint string // of etcd
}

// The parts of the bench.
const (
	startPart    = "start"
	firewallPart = "firewall"
	cniPart      = "cni"
	healPart     = "heal"
	changePart   = "change"
	outagePart   = "outage"
	kubePart     = "kube"
	churnPart    = "churn"
	putPart      = "put"
	probePart    = "probe"
	datapathPart = "datapath"
)

var parts = []string{startPart, firewallPart, cniPart, healPart, changePart, outagePart, kubePart, churnPart, putPart, probePart, datapathPart}

// wants reports whether a part is to be run.
func (o *options) wants(part string) bool { return o.only == "" || o.only == part }

func main() {
	if onlyDatapath(os.Args[1:]) { // programs are loaded in the first user namespace alone
		os.Exit(twohosts.Main(run))
	}
	os.Exit(netns.Main(run))
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		err = bench(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

func parse(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.StringVar(&o.weft, "weft", "", "the weft `binary` to measure (default: built from this repository)")
	fs.StringVar(&o.only, "only", "", "the `part` to run: "+strings.Join(parts, ", ")+" (default: all)")
	peers := fs.String("n", "100,1000,10000", "numbers of peers")
	stretch := fs.Bool("stretch", false, "also 30000 peers")
	backends := fs.String("backends", vxlanBackend+","+hostGWBackend, "backends")
	fs.IntVar(&o.runs, "runs", 3, "cold starts for each case; the median counts")
	fs.IntVar(&o.puts, "puts", 20, "new leases for each case, and again as many under strace")
	fs.DurationVar(&o.idle, "idle", 20*time.Second, "how long to watch an agent at rest")
	fs.IntVar(&o.rounds, "rounds", 18, "measurements of each kind with each set of rules, in turns; medians count")
	fs.IntVar(&o.calls, "calls", 200, "ADDs and DELs of each CNI plugin in each case")
	fs.DurationVar(&o.slice, "slice", 60*time.Millisecond, "how long one of them takes")
	fs.IntVar(&o.times, "times", 20, "how often each fault is inflicted; the median counts")
	fs.DurationVar(&o.outage, "outage", time.Minute, "how long the store is away")
	fs.DurationVar(&o.churn, "churn", 20*time.Second, "how long leases are changed")
	churnPeers := fs.String("churn-n", "100,2000,10000", "numbers of peers whose leases are changed")
	fs.IntVar(&o.singles, "singles", 50, "leases put one by one in each case")
	putPeers := fs.String("put-n", "100,1000,10000,30000", "numbers of peers among which single leases are put; the first is what the others are compared with")
	output := fs.String("o", "table", "table or json")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if *stretch {
		*peers += ",30000"
	}
	var err error
	if o.peers, err = numbers("-n", *peers); err != nil {
		return nil, err
	}
	if o.churnN, err = numbers("-churn-n", *churnPeers); err != nil {
		return nil, err
	}
	if o.putN, err = numbers("-put-n", *putPeers); err != nil {
		return nil, err
	}
	o.backends = strings.Split(*backends, ",")
	o.json = *output == "json"
	if o.only != "" && !slices.Contains(parts, o.only) {
		return nil, fmt.Errorf("-only %q: must be one of %s", o.only, strings.Join(parts, ", "))
	}
	if o.rounds < 1 || o.calls < 1 || o.times < 1 || o.slice < time.Millisecond || o.outage < time.Second {
		return nil, errors.New("-rounds, -calls and -times must be at least 1, -slice 1ms and -outage 1s")
	}
	if o.runs < 1 || o.puts < 1 || o.singles < 1 || o.churn < time.Second {
		return nil, errors.New("-runs, -puts and -singles must be at least 1, and -churn 1s")
	}
	if *output != "table" && *output != "json" {
		return nil, errors.New("-o must be table or json")
	}
	return o, nil
}

// numbers reads the numbers of peers that a flag lists.
func numbers(flag, list string) (out []int, err error) {
	for _, s := range strings.Split(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 50000 {
			return nil, fmt.Errorf("%s %q: each must be a number from 1 to 50000", flag, list)
		}
		out = append(out, n)
	}
	return out, nil
}

func bench(ctx context.Context, o *options) error {
	if o.only == datapathPart {
		return measureAll(ctx, o)
	}
	dir, err := os.MkdirTemp("", "weft-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.weft == "" {
		if o.weft, err = build(ctx, dir); err != nil {
			return err
		}
	}
	// What is written goes to memory: a disk's fsync is no property of weft.
	o.dir = filepath.Join(dir, "mem")
	if err := os.Mkdir(o.dir, 0o700); err != nil {
		return err
	}
	if err := netns.MountTmpfs(o.dir); err != nil {
		return err
	}
	// A mount point cannot be removed.
	defer func() { _ = unix.Unmount(o.dir, unix.MNT_DETACH) }()
	return measureAll(ctx, o)
}

// report is all that was measured.
type report struct {
	Machine  string           `json:"machine"`
	Results  []result         `json:"results,omitempty"`
	Firewall []firewallResult `json:"firewall,omitempty"`
	Calls    []callResult     `json:"cniCalls,omitempty"`
	PodWays  []podWayResult   `json:"podToPod,omitempty"`
	Heal     []healResult     `json:"heal,omitempty"`
	Live     []liveResult     `json:"change,omitempty"`
	Outage   []outageResult   `json:"outage,omitempty"`
	Kube     []kubeResult     `json:"kubernetes,omitempty"`
	Churn    []churnResult    `json:"churn,omitempty"`
	Put      []putResult      `json:"put,omitempty"`
	Probe    []probeResult    `json:"probe,omitempty"`
	Datapath []datapathResult `json:"datapath,omitempty"`
	Programs []programResult  `json:"programs,omitempty"`
}

func measureAll(ctx context.Context, o *options) (err error) {
	r := report{Machine: machine()}
	progress("%s", r.Machine)
	if o.wants(startPart) {
		if r.Results, err = measureStarts(ctx, o); err != nil {
			return err
		}
	}
	if o.wants(firewallPart) {
		if r.Firewall, err = measureFirewall(ctx, o); err != nil {
			return err
		}
	}
	if o.wants(cniPart) {
		if r.Calls, r.PodWays, err = measureCNI(ctx, o); err != nil {
			return err
		}
	}
	if o.wants(healPart) {
		if r.Heal, err = measureHeal(ctx, o); err != nil {
			return err
		}
	}
	if o.wants(changePart) {
		if r.Live, err = measureLive(ctx, o); err != nil {
			return err
		}
	}
	if o.wants(outagePart) {
		if r.Outage, err = measureOutage(ctx, o); err != nil {
			return err
		}
	}
	if o.wants(kubePart) {
		if r.Kube, err = measureKube(ctx, o); err != nil {
			return err
		}
	}
	if o.wants(churnPart) {
		if r.Churn, err = measureChurn(ctx, o); err != nil {
			return err
		}
	}
	if o.wants(putPart) {
		if r.Put, err = measurePuts(ctx, o); err != nil {
			return err
		}
	}
	if o.wants(probePart) {
		if r.Probe, err = measureProbes(ctx, o); err != nil {
			return err
		}
	}
	if o.only == datapathPart {
		if r.Datapath, r.Programs, err = measureDatapath(ctx, o); err != nil {
			return err
		}
	}
	if o.json {
		return printJSON(os.Stdout, r)
	}
	return printTables(os.Stdout, r)
}

// build makes the binary as a release is made.
func build(ctx context.Context, dir string) (string, error) {
	progress("building weft ...")
	to := filepath.Join(dir, "weft")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, "github.com/weft-net/weft/cmd/weft")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build weft: %w\n%s", err, out)
	}
	return to, nil
}
