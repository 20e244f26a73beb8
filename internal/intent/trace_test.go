package intent_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/view"
)

var update = flag.Bool("update", false, "write the outputs of traces anew")

// TestTraces plays each trace of testdata: its events, one a line, and what
// the steps ask for. README.md beside the traces explains the lines.
func TestTraces(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r := newTracer(t)
			got := r.play(string(archive.Files[0].Data))
			if *update {
				archive.Files = append(archive.Files[:1], txtar.File{Name: "output", Data: []byte(got)})
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if want := string(archive.Files[1].Data); got != want {
				t.Errorf("(-want +got)\n%s\nthe state at the end:\n%s", cmp.Diff(want, got), r.state)
			}
		})
	}
}

// tracer is what surrounds the steps: a store, a host, a kernel, a disk.
type tracer struct {
	t        testing.TB
	opts     intent.Options
	state    intent.State
	now      time.Time
	out      strings.Builder
	keys     map[string][]byte // in the store
	reserved map[string]bool   // keys without a time to live
	rev      int64
	addr     netip.Prefix // of the host
	request  intent.LeaseRequest
	desired  *netstate.State
	newest   uint64
	disk     map[string]json.RawMessage
	wake     time.Duration
	locked   error
	params   host.Params
	attached []host.Attached
	broken   error // why the host's facts cannot be found
	proofs   plan.Proofs
	wrong    []plan.Checksum
}

func newTracer(t testing.TB) *tracer {
	r := &tracer{
		t: t, now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC), keys: map[string][]byte{}, reserved: map[string]bool{}, rev: 1,
		addr: netip.MustParsePrefix("10.4.7.21/24"), disk: map[string]json.RawMessage{}, desired: &netstate.State{},
		opts: intent.Options{
			Owner: lease.Owner{ID: "trace"}, Key: keyOf("1"), Grace: 3 * time.Second, ConfigAdvice: "write one", Firewall: firewall.Options{},
		},
	}
	r.state = intent.New(r.opts, intent.Persisted{})
	return r
}

func (r *tracer) play(script string) string {
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fmt.Fprintf(&r.out, "> %s\n", line)
		verb, rest, _ := strings.Cut(line, " ")
		r.do(verb, rest)
	}
	return r.out.String()
}

func (r *tracer) do(verb, rest string) {
	switch verb {
	case "config":
		r.store("config", rest)
	case "lease":
		key, value, _ := strings.Cut(rest, " ")
		r.store(view.Subnets+key, value)
	case "reserve":
		r.reserved[view.Subnets+rest] = true
		r.store(view.Subnets+rest, "{}")
	case "named":
		key, name, _ := strings.Cut(rest, " ")
		doc, err := lease.MarshalHost(lease.Host{Name: name})
		if err != nil {
			r.t.Fatal(err)
		}
		r.keys[view.Hosts+key] = doc // told with the next change
	case "leases":
		for i := range mustInt(r.t, rest) {
			r.keys[fmt.Sprintf("%s172.7.%d.0-24", view.Subnets, 100+i)] = fmt.Appendf(nil,
				`{"PublicIP":"10.4.9.%d","BackendType":"host-gw"}`, 1+i)
		}
		r.tell()
	case "no-leases":
		for i := range mustInt(r.t, rest) {
			delete(r.keys, fmt.Sprintf("%s172.7.%d.0-24", view.Subnets, 100+i))
		}
		r.tell()
	case "empty":
		clear(r.keys)
		r.tell()
	case "host":
		r.addr = netip.MustParsePrefix(rest)
		r.broken = nil
		r.step(intent.HostChanged{})
	case "attached":
		r.attached = nil
		for w := strings.Fields(rest); len(w) > 0; w = w[2:] {
			r.attached = append(r.attached, host.Attached{Prefix: netip.MustParsePrefix(w[0]), Dev: w[1], Local: strings.HasPrefix(w[1], "cni")})
		}
		r.step(intent.HostChanged{})
	case "param":
		name, value, _ := strings.Cut(rest, " ")
		r.params = maps.Clone(r.params)
		if r.params == nil {
			r.params = host.Params{}
		}
		r.params[name] = value
		r.step(intent.HostChanged{})
	case "overwrote":
		w := strings.Fields(rest)
		r.step(intent.PassDone{Received: r.newest, Converged: r.newest, Overwrote: []intent.Parameter{{Name: w[0], Was: w[1], Now: w[2]}}})
	case "reboot":
		r.opts.Owner.Boot += "again"
		r.do("restart", "")
	case "host-fails":
		r.broken = errors.New(rest)
		r.step(intent.HostChanged{})
	case "locks-fail":
		r.locked = errors.New(rest)
	case "locks-free":
		r.locked = nil
	case "held":
		l := lease.Lease{Attrs: r.request.Attrs}
		for p := range strings.FieldsSeq(rest) {
			l.Subnets = append(l.Subnets, netip.MustParsePrefix(p))
		}
		value, err := lease.MarshalAttrs(l.Attrs)
		if err != nil {
			r.t.Fatal(err)
		}
		r.step(intent.LeaseHeld{Lease: l})
		r.store(view.Subnets+lease.Key(l.Subnets), string(value))
	case "pass":
		r.step(intent.PassDone{Received: r.newest, Converged: r.newest})
	case "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			r.t.Fatal(err)
		}
		r.wait(d)
	case "probed":
		r.step(intent.PathsProbed{Proofs: r.probed(strings.Fields(rest)), Checksums: r.wrong})
	case "wrong-checksums":
		w := strings.Fields(rest)
		r.wrong = append(r.wrong, plan.Checksum{
			Family: netconf.V4, Peer: netip.MustParsePrefix(w[0]), UDP: slices.Contains(w, "udp"), TCP: slices.Contains(w, "tcp"),
			Sender: plan.Sender{Uplink: "eth0", Kernel: r.params[host.Release]},
		})
		r.step(intent.PathsProbed{Proofs: r.proofs, Checksums: r.wrong})
	case "key":
		r.opts.NextKey = keyOf(rest)
		r.step(intent.KeyMade{Key: r.opts.NextKey})
	case "store-fails":
		r.step(intent.StoreHealth{Err: errors.New(rest)})
	case "restart", "restart-with-copy":
		persisted, errs := intent.FromRecords(r.records())
		if len(errs) > 0 {
			r.t.Fatal(errs)
		}
		r.state, r.newest, r.wake = intent.New(r.opts, persisted), 0, 0
		r.step(intent.UseCopy{})
		if verb == "restart" {
			r.tell()
		}
	default:
		r.t.Fatalf("unknown line %q", verb)
	}
}

// probed adds to what probes have shown: of a lease's path a verdict, and maybe an MTU.
func (r *tracer) probed(w []string) plan.Proofs {
	p := plan.Proof{Subnets: []netip.Prefix{netip.MustParsePrefix(w[0])}, Family: netconf.V4, Kind: plan.Kind(w[1])}
	for _, v := range []plan.Verdict{plan.Passes, plan.Lost} {
		if v.String() == w[2] {
			p.Verdict = v
		}
	}
	if len(w) > 3 {
		p.MTU = mustInt(r.t, w[3])
	}
	r.proofs = r.proofs.With(p)
	return r.proofs
}

// keyOf returns the public key with a number.
func keyOf(number string) (k netstate.WGKey) {
	copy(k[:], number)
	return k
}

func mustInt(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// records is what is on disk: the agent's own state, and the leases.
func (r *tracer) records() map[string]json.RawMessage {
	out := maps.Clone(r.disk)
	_, leases := r.state.Snapshot()
	for l := range leases.All() {
		key, value, err := intent.LeaseRecord(l)
		if err != nil {
			r.t.Fatal(err)
		}
		out[key] = value
	}
	return out
}

// store writes a key, or removes it if value is empty, and tells the agent.
func (r *tracer) store(key, value string) {
	if value == "" {
		delete(r.keys, key)
	} else {
		r.keys[key] = []byte(value)
	}
	r.tell()
}

func (r *tracer) tell() { r.step(intent.StoreChanged{Snapshot: r.snapshot()}) }

func (r *tracer) snapshot() store.Snapshot {
	r.rev++
	var items []view.Item
	for _, key := range slices.Sorted(maps.Keys(r.keys)) {
		items = append(items, view.Item{Key: key, Value: r.keys[key], Revision: r.rev, Reserved: r.reserved[key]})
	}
	return view.New(r.rev, items).Snapshot()
}

// wait lets time pass, with a tick whenever one is asked for.
func (r *tracer) wait(d time.Duration) {
	for end := r.now.Add(d); ; {
		if r.wake == 0 || r.now.Add(r.wake).After(end) {
			if r.wake > 0 {
				r.wake -= end.Sub(r.now)
			}
			r.now = end
			return
		}
		r.now = r.now.Add(r.wake)
		r.wake = 0
		r.step(intent.Tick{})
	}
}

// step takes an event, and answers what is asked for at once.
func (r *tracer) step(e intent.Event) {
	for e != nil {
		var out intent.Output
		r.state, out = intent.Step(r.state, e, r.now)
		e = r.note(out)
	}
}

func (r *tracer) note(out intent.Output) (next intent.Event) {
	for _, m := range out.Messages {
		fmt.Fprintln(&r.out, m)
	}
	if out.Redial {
		fmt.Fprintln(&r.out, "redial")
	}
	if out.Persist != nil {
		r.persist(out.Persist)
	}
	if d := out.Desired; d != nil {
		fmt.Fprintf(&r.out, "desired: generation %d, %d peers", d.Generation, d.Peers)
		if d.KeepStale {
			fmt.Fprint(&r.out, ", keep stale")
		}
		fmt.Fprintln(&r.out)
		for _, op := range netstate.Diff(r.desired, d.State) {
			fmt.Fprintln(&r.out, " ", op)
		}
		r.desired, r.newest = d.State, d.Generation
	}
	if out.Env != nil {
		fmt.Fprintln(&r.out, "subnet.env:", strings.Join(strings.Fields(string(out.Env.Format())), " "))
	}
	if out.Request != nil {
		r.request = *out.Request
		fmt.Fprintf(&r.out, "request: %s %v %s", r.request.Backend, r.request.Public, r.request.Data.V4)
		if len(r.request.Avoid)+len(r.request.Local) > 0 {
			fmt.Fprintf(&r.out, " avoid %v local %v", r.request.Avoid, r.request.Local)
		}
		fmt.Fprintln(&r.out)
	}
	if !out.KeepKey.IsZero() {
		fmt.Fprintln(&r.out, "keep key:", out.KeepKey)
		r.opts.Key, r.opts.NextKey = out.KeepKey, netstate.WGKey{}
	}
	if out.Wake > 0 {
		r.wake = out.Wake
	}
	switch {
	case out.Lock != nil:
		return intent.LocksTaken{Locks: *out.Lock, Err: r.locked}
	case out.Observe != nil:
		if len(out.Observe.Devices) > 0 {
			fmt.Fprintln(&r.out, "observe: devices", out.Observe.Devices)
		}
		if out.Observe.Options.FastPath == netconf.Yes {
			fmt.Fprintln(&r.out, "observe: fast path")
		}
		return intent.HostObserved{Query: *out.Observe, Facts: r.facts(), Err: r.broken}
	}
	return nil
}

func (r *tracer) persist(p *intent.Persisted) {
	records, err := p.Records()
	if err != nil {
		r.t.Fatal(err)
	}
	var changed []string
	for _, key := range slices.Sorted(maps.Keys(records)) {
		if string(r.disk[key]) != string(records[key]) {
			changed = append(changed, key)
		}
	}
	r.disk = records
	fmt.Fprintln(&r.out, "persist:", strings.Join(changed, " "))
	for _, o := range p.Overwritten.Params {
		fmt.Fprintf(&r.out, "  was %s %s, now %s\n", o.Name, o.Was, o.Now)
	}
}

func (r *tracer) facts() host.Facts {
	addrs := []netip.Addr{r.addr.Addr()}
	return host.Facts{
		Uplink: host.Uplink{Name: "eth0", MTU: 1500, Addrs: addrs, OnLink: []netip.Prefix{r.addr.Masked()}, Connected: []netip.Prefix{r.addr.Masked()}, Reason: "default route"},
		Public: addrs, NoFirewall: "not in traces", Attached: r.attached, Params: r.params,
	}
}
