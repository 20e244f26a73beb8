package prober

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel/echo"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
)

// wire is a network in memory.
type wire struct {
	mu     sync.Mutex
	sent   []echo.Request
	coming []coming
	rtt    time.Duration
	dead   bool
	closed bool
	ways   echo.Ways // by which requests of others are answered

	tried   []echo.Trial
	refused []echo.Refusal
	wrong   bool // checksums that are left to it
}

type coming struct {
	at     time.Time
	answer echo.Answer
}

func (w *wire) Send(r echo.Request) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, r)
	if !w.dead {
		w.coming = append(w.coming, coming{time.Now().Add(w.rtt), echo.Answer{Seq: r.Seq, From: r.Dest, RTT: w.rtt}})
	}
	return nil
}

func (w *wire) Receive(yield func(echo.Answer)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.coming[:0]
	for _, c := range w.coming {
		if c.at.After(time.Now()) {
			rest = append(rest, c)
		} else {
			yield(c.answer)
		}
	}
	w.coming = rest
}

func (w *wire) Reflect(ctx context.Context, ways echo.Ways) error {
	w.change(func() { w.ways = ways })
	<-ctx.Done()
	return ctx.Err()
}

func (w *wire) Try(t echo.Trial) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tried = append(w.tried, t)
	if !w.dead && !(t.Offload && w.wrong) {
		w.refused = append(w.refused, echo.Refusal{ID: t.ID, TCP: t.TCP, From: t.Dest})
	}
	return nil
}

func (w *wire) Refused(yield func(echo.Refusal)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.refused {
		yield(r)
	}
	w.refused = nil
}

func (w *wire) Close() error { w.closed = true; return nil }

// change changes the network while it is used.
func (w *wire) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// all returns what was sent so far.
func (w *wire) all() []echo.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sent)
}

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

var (
	subnet = netip.MustParsePrefix("10.0.24.0/24")
	near   = netip.MustParseAddr("192.168.0.24")
)

// update is a host with one peer on its segment.
func update(t *testing.T, config string) Update {
	t.Helper()
	net, err := netconf.Parse([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	peer := lease.Lease{Subnets: []netip.Prefix{subnet}, Attrs: lease.Attrs{Backend: plan.VXLAN, Public: []netip.Addr{near}}}
	peer.Data = peer.Data.With(netconf.V4, []byte(`{"VNI":1,"VtepMAC":"0a:00:00:00:00:24"}`))
	in := plan.Input{Net: net, Self: lease.Lease{Subnets: []netip.Prefix{netip.MustParsePrefix("10.0.21.0/24")}}, Peers: lease.SetOf(peer), Host: host.Facts{
		Uplink: host.Uplink{Name: "eth0", MTU: 1500, Addrs: []netip.Addr{netip.MustParseAddr("192.168.0.21")}, OnLink: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/24")}},
	}}
	var b netstate.Builder
	b.Routes = append(b.Routes, netstate.Route{Dst: subnet, Via: near, Dev: "eth0"})
	desired, err := b.State()
	if err != nil {
		t.Fatal(err)
	}
	return Update{Input: &in, Desired: desired, Converged: true, Hosts: lease.HostSetOf(lease.Host{Lease: lease.Key(peer.Subnets), Name: "h24"})}
}

const (
	direct = `{"Network":"10.0.0.0/8","Backend":{"Type":"vxlan","DirectRouting":true}}`
	off    = `{"Network":"10.0.0.0/8","Backend":{"Type":"vxlan","DirectRouting":true},"Probe":{"Interval":"0s"}}`
)

// run starts a prober, in a bubble of its own time, and stops it after f.
func run(t *testing.T, w *wire, f func(p *Prober, log *journal)) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		open := func() (Wire, error) {
			if w == nil {
				return nil, os.ErrPermission
			}
			return w, nil
		}
		p := New(open, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		f(p, &log)
		cancel()
		<-done
		if w != nil && len(w.sent) > 0 && !w.closed {
			t.Error("the wire was left open")
		}
	})
}

func verdicts(proofs plan.Proofs) string {
	var out []string
	for p := range proofs.All() {
		out = append(out, fmt.Sprintf("%s %s %d", p.Kind, p.Verdict, p.MTU))
	}
	return strings.Join(out, ", ")
}

func TestFindsOut(t *testing.T) {
	w := &wire{rtt: time.Millisecond}
	run(t, w, func(p *Prober, _ *journal) {
		p.Updates.Put(update(t, direct))
		time.Sleep(15 * time.Second)
		if got := verdicts((<-p.Findings).Proofs); got != "direct passes 0, vxlan passes 0" {
			t.Error(got)
		}
		r := p.Report(subnet)
		to, from := r[0].Target.Source, r[0].Target.Dest
		var reflected echo.Ways
		w.change(func() { reflected = w.ways })
		if ways := reflected(from, to); len(ways) != 2 || ways[0].Dev != "eth0" || ways[0].Next != r[0].Target.Remote || ways[1].MAC != r[1].Target.MAC {
			t.Errorf("requests of the peer are answered by %+v", ways)
		}
		if ways := append(reflected(to, from), reflected(from, from.Next())...); len(ways) > 0 {
			t.Errorf("requests of others are answered by %+v", ways)
		}
		if len(r) != 2 || r[0].RTT != w.rtt {
			t.Errorf("%+v", r)
		}
		for _, r := range w.all() {
			inUse := r.Dev == ""
			tunnelled := r.Dev == "flannel.1" && r.MAC == netstate.MAC{10, 0, 0, 0, 0, 0x24}
			if !inUse && !tunnelled || r.Source != netip.MustParseAddr("10.0.21.0") || r.Dest != subnet.Addr() {
				t.Errorf("%+v", r)
			}
		}
		w.change(func() { w.dead = true })
		time.Sleep(10 * time.Second)
		if got := verdicts((<-p.Findings).Proofs); got != "direct lost 0, vxlan lost 0" {
			t.Error(got)
		}
		u := update(t, direct)
		u.Input.Peers = lease.Set{}
		p.Updates.Put(u)
		time.Sleep(time.Second)
		if got := (<-p.Findings).Proofs; got.Len() != 0 {
			t.Error(verdicts(got))
		}
	})
}

func TestNothingIsSentBeforeThereIsARoute(t *testing.T) {
	w := &wire{}
	run(t, w, func(p *Prober, _ *journal) {
		u := update(t, direct)
		u.Converged = false
		p.Updates.Put(u)
		time.Sleep(time.Minute)
		u = update(t, direct)
		u.Desired = &netstate.State{} // the peer was not admitted
		p.Updates.Put(u)
		time.Sleep(time.Minute)
		if n := len(w.all()); n > 0 {
			t.Errorf("%d packets were sent", n)
		}
	})
}

func TestSwitchedOff(t *testing.T) {
	w := &wire{}
	run(t, w, func(p *Prober, _ *journal) {
		p.Updates.Put(update(t, off))
		time.Sleep(time.Minute)
		if n := len(w.all()); n > 0 {
			t.Errorf("%d packets were sent", n)
		}
		p.Updates.Put(update(t, direct))
		time.Sleep(time.Minute)
		if len(w.all()) == 0 {
			t.Error("none was sent after it was switched on")
		}
	})
}

func TestWithoutTheRight(t *testing.T) {
	run(t, nil, func(p *Prober, log *journal) {
		for range 3 {
			p.Updates.Put(update(t, direct))
			time.Sleep(time.Minute)
		}
		if n := strings.Count(log.String(), "CAP_NET_RAW"); n != 1 {
			t.Errorf("said %d times:\n%s", n, log)
		}
		if p.Report(subnet) != nil {
			t.Error("something is known")
		}
	})
}

func TestSlowerIsSaid(t *testing.T) {
	w := &wire{rtt: time.Millisecond}
	run(t, w, func(p *Prober, log *journal) {
		p.Updates.Put(update(t, direct))
		time.Sleep(6 * time.Minute)
		w.change(func() { w.rtt = 40 * time.Millisecond })
		time.Sleep(3 * time.Minute)
		want := `msg="path to peer has become slower" kind=path-slower peer=h24 subnet=10.0.24.0/24 path=direct family=ipv4 from=1ms to=40ms`
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s\nis not in\n%s", want, log)
		}
	})
}
