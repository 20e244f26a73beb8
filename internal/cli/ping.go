package cli

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/kernel/echo"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netstate"
)

// pinger holds the ping command's flags, and what it finds.
type pinger struct {
	dirs     dirSettings
	once     onceSettings
	count    int
	interval time.Duration
	output   string

	w     io.Writer // nil: no line for each answer
	conn  *echo.Conn
	tries []*pingTry
	seq   uint16
	sent  map[uint16]*pingTry
}

// pingTry is a path with a size of packets.
type pingTry struct {
	Host    string       `json:"host,omitempty"` // name of the peer
	Subnet  netip.Prefix `json:"subnet"`
	Kind    string       `json:"kind"`
	InUse   bool         `json:"inUse"`
	Size    int          `json:"bytes"`
	Sent    int          `json:"sent"`
	Answers int          `json:"answers"`
	Min     int64        `json:"minRttNanoseconds"`
	Average int64        `json:"averageRttNanoseconds"`
	Max     int64        `json:"maxRttNanoseconds"`
	Error   string       `json:"error,omitempty"` // why the last packet was not sent

	path  api.PeerPath
	total time.Duration
}

// pingDocument is what was found, for programs.
type pingDocument struct {
	header
	Paths []*pingTry `json:"paths"`
}

// smallPing is the size of small packets, in bytes of the IP packet: ping(8)'s.
const smallPing = 84

func newPingCommand() *cobra.Command {
	var p pinger
	cmd := &cobra.Command{
		Use:   "ping HOST|SUBNET|ADDRESS",
		Short: "Send packets to a peer by every path, small and of full size",
		Long: `Send echo requests to a peer by every path that packets to it could travel, also
those that are not in use, of both families, small and as large as packets of
containers can be. It goes on until it is interrupted, or --count is reached, and
ends with a summary.

The exit code is 0 if every path answered packets of both sizes, else 1.`,
		Example:           "  weft ping h2\n  weft ping 10.42.7.0/24 -c 3\n  weft ping 10.42.7.12 -c 3 -o json",
		Args:              oneArgument("a host name, a subnet or an address", "weft ping h2"),
		ValidArgsFunction: completePeers,
		RunE:              func(cmd *cobra.Command, args []string) error { return p.run(cmd, args[0]) },
	}
	fs := newFlagSet()
	addRunDirFlag(fs, &p.dirs)
	addOnceFlags(fs, &p.once)
	takeFlags(cmd, fs)
	cmd.Flags().IntVarP(&p.count, "count", "c", 0, "packets by each path and of each size; 0: until interrupted")
	cmd.Flags().DurationVarP(&p.interval, "interval", "i", time.Second, "pause between packets by one path")
	addOutputFlag(cmd, &p.output)
	return cmd
}

func (p *pinger) run(cmd *cobra.Command, to string) error {
	err := askAgent(cmd, p.dirs, p.once, func(ctx context.Context, agent *api.Client) error {
		paths, err := agent.Paths(ctx)
		p.choose(paths, to)
		return err
	})
	if err != nil {
		return err
	}
	if len(p.tries) == 0 {
		return withHint(fmt.Errorf("there is no path to %s: no peer with one has that name, subnet or address", oneLine(to)), "'weft status' lists the peers")
	}
	if p.conn, err = echo.Open(); err != nil {
		return withHint(err, "run as root, for example: sudo weft ping %s", oneLine(to))
	}
	defer func() { _ = p.conn.Close() }() // nothing is lost with it
	if forPeople(p.output) {
		p.w = cmd.OutOrStdout()
	}
	p.ping(cmd.Context())
	if err := present(cmd.OutOrStdout(), p.output, pingDocument{newHeader("Ping"), p.tries}, func() error { return p.summary(cmd.OutOrStdout()) }); err != nil {
		return err
	}
	if slices.ContainsFunc(p.tries, func(t *pingTry) bool { return t.Answers == 0 }) {
		return &exitError{code: exitFailure}
	}
	return nil
}

// choose takes the paths to the peer that is meant by its name, one of its
// subnets, an address in it, or the address that it advertises.
func (p *pinger) choose(paths []api.PeerPath, to string) {
	prefix, _ := netip.ParsePrefix(to)
	addr, _ := netip.ParseAddr(to)
	for _, path := range paths {
		covers := func(s netip.Prefix) bool { return s == prefix || s.Contains(addr) }
		if path.Name != to && !slices.ContainsFunc(path.Lease, covers) && !slices.Contains(path.Public, addr) {
			continue
		}
		for _, size := range []int{smallPing, path.Full} {
			p.tries = append(p.tries, &pingTry{Host: path.Name, Subnet: path.Subnet, Kind: path.Kind, InUse: path.InUse, Size: size, path: path})
		}
	}
}

// lastAnswers is how long the answers to the last packets are waited for.
const lastAnswers = time.Second

func (p *pinger) ping(ctx context.Context) {
	p.sent = map[uint16]*pingTry{}
	for n := 1; ctx.Err() == nil; n++ {
		for _, t := range p.tries {
			p.send(t)
		}
		last := n == p.count
		until := time.Now().Add(max(p.interval, 10*time.Millisecond))
		if last {
			until = time.Now().Add(lastAnswers)
		}
		p.listen(ctx, until, last)
		if last {
			return
		}
	}
}

func (p *pinger) send(t *pingTry) {
	p.seq++
	r := echo.Request{Seq: p.seq, Size: t.Size, Source: t.path.Source, Dest: t.path.Dest, VRF: t.path.VRF, Reflect: true}
	if !t.InUse {
		r.Dev, r.Next = t.path.Dev, t.path.Remote
		r.MAC, _ = netstate.ParseMAC(t.path.MAC) // none: that of the neighbour
	}
	t.Sent++
	t.Error = ""
	if err := p.conn.Send(r); err != nil {
		t.Error = err.Error()
		p.say("%s: %s", t.name(), t.Error)
		return
	}
	p.sent[p.seq] = t
}

// listen takes in answers until a time, or until none is missing if that is
// enough.
func (p *pinger) listen(ctx context.Context, until time.Time, enough bool) {
	for ctx.Err() == nil && time.Now().Before(until) && (!enough || len(p.sent) > 0) {
		p.conn.Wait(min(time.Until(until), 50*time.Millisecond))
		p.conn.Receive(func(a echo.Answer) {
			t := p.sent[a.Seq]
			if t == nil {
				return
			}
			delete(p.sent, a.Seq)
			t.answer(a.RTT)
			p.say("%s: answer from %s in %s", t.name(), a.From, milliseconds(a.RTT))
		})
	}
}

func (t *pingTry) answer(rtt time.Duration) {
	t.Answers++
	t.total += rtt
	t.Average = int64(t.total) / int64(t.Answers)
	if t.Max = max(t.Max, int64(rtt)); t.Answers == 1 || int64(rtt) < t.Min {
		t.Min = int64(rtt)
	}
}

func (t *pingTry) name() string {
	host := t.Host
	if host == "" {
		host = lease.FormatAddrs(t.path.Public)
	}
	return fmt.Sprintf("%s %s %s, %d bytes", oneLine(host), t.Subnet, pathName(t.Kind, t.InUse), t.Size)
}

// pathName puts the kind of a path that is not in use in brackets.
func pathName(kind string, inUse bool) string {
	if inUse {
		return kind
	}
	return "(" + kind + ")"
}

func (p *pinger) say(format string, args ...any) {
	if p.w != nil {
		fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *pinger) summary(w io.Writer) error {
	fmt.Fprintln(w)
	t := newTable(w, columnGap)
	t.header("HOST", "SUBNET", "PATH", "BYTES", "SENT", "LOSS", "MIN", "AVERAGE", "MAX")
	for _, one := range p.tries {
		s := plain
		if one.Answers == 0 {
			s = red
		}
		t.add(s, one.cells()...)
	}
	return t.flush()
}

func (t *pingTry) cells() []string {
	times := []string{"-", "-", "-"}
	if t.Answers > 0 {
		times = []string{milliseconds(time.Duration(t.Min)), milliseconds(time.Duration(t.Average)), milliseconds(time.Duration(t.Max))}
	}
	loss := 100 * float64(t.Sent-t.Answers) / float64(max(t.Sent, 1))
	return append([]string{orNone(t.Host), t.Subnet.String(), pathName(t.Kind, t.InUse), fmt.Sprint(t.Size), fmt.Sprint(t.Sent), fmt.Sprintf("%.0f%%", loss)}, times...)
}
