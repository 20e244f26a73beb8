package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/reconcile/memkernel"
)

var network = []netip.Prefix{netip.MustParsePrefix("172.7.0.0/16")}

func state(t *testing.T, lines ...string) *netstate.State {
	t.Helper()
	s, err := netstate.Parse(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func want(t *testing.T, lines ...string) reconcile.Want {
	s := state(t, lines...)
	return reconcile.Want{State: s, Scope: netstate.ScopeOf(network, s)}
}

// counting counts how often the kernel is looked at.
type counting struct {
	reconcile.Kernel
	mu    sync.Mutex
	looks int
	kinds []netstate.Kinds // of each look
	fail  error
	tell  func(netstate.Event) netstate.Event // what the watch makes of news; nil: nothing
}

func (c *counting) Watch(ctx context.Context, fn func(netstate.Event)) error {
	return c.Kernel.Watch(ctx, func(e netstate.Event) {
		c.mu.Lock()
		tell := c.tell
		c.mu.Unlock()
		if tell != nil {
			e = tell(e)
		}
		fn(e)
	})
}

func (c *counting) Observe(ctx context.Context, scope netstate.Scope, kinds netstate.Kinds) (*netstate.State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	c.kinds = append(c.kinds, kinds)
	if c.fail != nil {
		return nil, c.fail
	}
	return c.Kernel.Observe(ctx, scope, kinds)
}

func (c *counting) looked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.looks
}

// told sets what the watch makes of news.
func (c *counting) told(tell func(netstate.Event) netstate.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tell = tell
}

func (c *counting) broken(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = err
}

// rig is a running loop over an imagined host.
type rig struct {
	t      *testing.T
	world  *memkernel.World
	other  *memkernel.Kernel // somebody else on the host
	kernel *counting
	wants  chan reconcile.Want
	mu     sync.Mutex
	passes []reconcile.Pass
	drift  []netstate.Event
	facts  int
}

// run starts a loop, hands it to body, and ends it.
func run(t *testing.T, body func(*rig)) {
	synctest.Test(t, func(t *testing.T) {
		world := memkernel.New("eth0")
		r := &rig{
			t: t, world: world, other: world.Open(),
			kernel: &counting{Kernel: world.Open()},
			wants:  make(chan reconcile.Want, 1),
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		loop := &reconcile.Loop{
			Kernel: r.kernel, Log: slog.New(slog.DiscardHandler), Resync: 10 * time.Minute,
			Report: r.report, Facts: r.fact, Drift: r.drifted,
		}
		go func() { done <- loop.Run(ctx, r.wants) }()
		body(r)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error("the loop ended with", err)
		}
	})
}

func (r *rig) report(p reconcile.Pass) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.passes = append(r.passes, p)
}

func (r *rig) fact() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.facts++
}

func (r *rig) drifted(e []netstate.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drift = append(r.drift, e...)
}

func (r *rig) settle(d time.Duration) {
	time.Sleep(d) // of the bubble's clock
	synctest.Wait()
}

// somebody does ops from outside.
func (r *rig) somebody(verb netstate.Verb, line string) {
	r.t.Helper()
	for _, row := range state(r.t, line).Rows() {
		if errs := r.other.Apply(r.t.Context(), []netstate.Op{{Verb: verb, Row: row, Have: row}}); errs[0] != nil {
			r.t.Fatal(errs[0])
		}
	}
}

func (r *rig) has(lines ...string) {
	r.t.Helper()
	for _, line := range lines {
		row := state(r.t, line).Rows()[0]
		if got := r.world.State().Find(row); got != row {
			r.t.Errorf("the kernel has %v, not %q", got, line)
		}
	}
}

const (
	routeA = "route 172.7.22.0/24 via 10.4.7.22 dev eth0"
	routeB = "route 172.7.23.0/24 via 10.4.7.23 dev eth0"
	routeX = "route 172.7.99.0/24 via 10.4.7.99 dev eth0"
)

func TestNothingIsWrittenBeforeTheFirstWant(t *testing.T) {
	run(t, func(r *rig) {
		r.somebody(netstate.Add, routeX) // ours, stale, from before a restart
		r.settle(time.Hour)
		if n := r.kernel.looked(); n != 0 {
			t.Error("looked at the kernel", n, "times with nothing to want")
		}
		r.has(routeX)
		r.wants <- want(t, routeA)
		r.settle(time.Second)
		r.has(routeA)
		if r.world.State().Find(state(t, routeX).Rows()[0]) != nil {
			t.Error("the stale route was not swept after the first want")
		}
	})
}

func TestDriftIsHealedAtOnceAndOwnEchoesCostNothing(t *testing.T) {
	run(t, func(r *rig) {
		r.wants <- want(t, routeA, routeB)
		r.settle(time.Second)
		before := r.kernel.looked()
		r.wants <- want(t, routeA)
		r.settle(time.Second)
		r.wants <- want(t, routeA, routeB)
		r.settle(time.Minute)
		if n := r.kernel.looked(); n != before {
			t.Errorf("a change of the plan made the loop look %d times at the kernel", n-before)
		}
		r.somebody(netstate.Remove, routeB)
		r.settle(time.Second)
		r.has(routeB)
		if len(r.drift) != 1 || !r.drift[0].Gone {
			t.Errorf("drift reported: %+v", r.drift)
		}
		r.somebody(netstate.Replace, "route 172.7.22.0/24 via 10.4.7.66 dev eth0 proto 3")
		r.settle(time.Second)
		r.has(routeA)
	})
}

// TestEveryDriftIsNamed meddles again before the loop has had a look.
func TestEveryDriftIsNamed(t *testing.T) {
	run(t, func(r *rig) {
		r.wants <- want(t, routeA, routeB)
		r.settle(time.Second)
		r.somebody(netstate.Remove, routeA)
		r.settle(10 * time.Millisecond)
		r.somebody(netstate.Remove, routeA) // it is back: healed at once, and the next look has to wait
		r.settle(10 * time.Millisecond)
		r.somebody(netstate.Remove, routeB)
		r.settle(time.Second)
		r.has(routeA, routeB)
		if len(r.drift) != 3 {
			t.Errorf("drift reported: %+v", r.drift)
		}
	})
}

func TestBurstsCoalesce(t *testing.T) {
	run(t, func(r *rig) {
		r.wants <- want(t, routeA)
		r.settle(time.Second)
		before := r.kernel.looked()
		for range 10000 {
			r.world.Emit(netstate.Event{})
		}
		r.settle(time.Second)
		if n := r.kernel.looked() - before; n < 1 || n > 3 {
			t.Errorf("10,000 events made the loop look %d times", n)
		}
	})
}

func TestAFailingRowDelaysNobodyAndIsRetriedWithBackoff(t *testing.T) {
	run(t, func(r *rig) {
		bad := state(t, routeA).Rows()[0]
		r.world.Fail(bad, syscall.EINVAL)
		r.wants <- want(t, routeA, routeB)
		r.settle(10 * time.Minute)
		r.has(routeB)
		tries := len(r.passes)
		if tries < 5 || tries > 40 {
			t.Errorf("%d passes in ten minutes of failure", tries)
		}
		last := r.passes[tries-1]
		if last.Converged() || len(last.Failures) != 1 || !errors.Is(last.Failures[0], syscall.EINVAL) {
			t.Errorf("last pass: %+v", last)
		}
		r.world.Fail(bad, nil)
		r.settle(time.Minute)
		r.has(routeA)
		if !r.passes[len(r.passes)-1].Converged() {
			t.Error("the last pass is not reported as good")
		}
	})
}

func TestAFailedPassIsTriedAgainAsSoonAsTheKernelSaysLook(t *testing.T) {
	run(t, func(r *rig) {
		bad := state(t, routeA).Rows()[0]
		r.world.Fail(bad, syscall.ENETDOWN) // the uplink has no carrier
		r.wants <- want(t, routeA)
		r.settle(10*time.Minute + 7*time.Second) // the backoff is at its longest
		r.world.Fail(bad, nil)
		r.world.Emit(netstate.Event{Facts: true})
		r.settle(time.Second)
		r.has(routeA)
	})
}

// TestAFailingRowKeepsNoOtherFromBeingHealed has a row fail for long, so that
// the next try is half a minute away, and then removes another.
func TestAFailingRowKeepsNoOtherFromBeingHealed(t *testing.T) {
	run(t, func(r *rig) {
		r.world.Fail(state(t, routeA).Rows()[0], syscall.EINVAL)
		r.wants <- want(t, routeA, routeB)
		r.settle(10*time.Minute + 7*time.Second)
		tries := len(r.passes)
		r.somebody(netstate.Remove, routeB)
		r.settle(time.Second)
		r.has(routeB)
		if len(r.drift) != 1 || len(r.passes) > tries+2 {
			t.Errorf("%d passes, drift reported: %+v", len(r.passes)-tries, r.drift)
		}
	})
}

func TestAKernelThatCannotBeLookedAtIsRetried(t *testing.T) {
	run(t, func(r *rig) {
		r.kernel.broken(syscall.ENOBUFS)
		r.wants <- want(t, routeA)
		r.settle(time.Minute)
		if len(r.passes) == 0 || !errors.Is(r.passes[0].Err, syscall.ENOBUFS) || len(r.world.Applied()) != 0 {
			t.Errorf("%d passes, applied %v", len(r.passes), r.world.Applied())
		}
		r.kernel.broken(nil)
		r.settle(time.Minute)
		r.has(routeA)
	})
}

func TestTheSlowResyncFindsWhatNoEventTold(t *testing.T) {
	run(t, func(r *rig) {
		r.wants <- want(t, routeA)
		r.settle(time.Second)
		before := r.kernel.looked()
		r.settle(11 * time.Minute)
		if n := r.kernel.looked() - before; n != 1 {
			t.Errorf("looked %d times in eleven quiet minutes", n)
		}
	})
}

func TestFactsRing(t *testing.T) {
	run(t, func(r *rig) {
		r.settle(time.Second)
		r.world.Emit(netstate.Event{Row: state(t, routeX).Rows()[0], Gone: true, Facts: true})
		r.settle(time.Second)
		if r.facts != 1 {
			t.Error("facts rang", r.facts, "times")
		}
	})
}

func TestOnceCleans(t *testing.T) {
	world := memkernel.New("eth0")
	k := world.Open()
	lines := []string{
		"link flannel.1 vxlan vni 1 local 10.4.7.21 dev eth0 port 8472 nolearning mtu 1450 mac 0a:4f:76:eb:12:f5 up",
		"addr 172.7.21.0/32 dev flannel.1",
		"neigh 172.7.24.0 mac 32:11:d5:cd:3b:c9 dev flannel.1",
		"fdb 32:11:d5:cd:3b:c9 dst 10.4.8.24 dev flannel.1",
		"route 172.7.24.0/24 via 172.7.24.0 dev flannel.1 onlink", routeA,
	}
	w := want(t, lines...)
	if p := reconcile.Once(t.Context(), k, w); !p.Converged() || len(p.Ops) != len(lines) {
		t.Fatal(p)
	}
	foreign := state(t, "route 172.7.88.0/24 via 10.4.7.88 dev eth0 proto 4")
	if errs := k.Apply(t.Context(), netstate.Diff(&netstate.State{}, foreign)); errs[0] != nil {
		t.Fatal(errs)
	}
	w.State = &netstate.State{}
	if p := reconcile.Once(t.Context(), k, w); !p.Converged() {
		t.Fatal(p)
	}
	left, err := k.Observe(t.Context(), w.Scope, netstate.AllKinds)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(left.Routes.Slice(), foreign.Routes.Slice()) || left.Links.Len()+left.Addrs.Len()+left.Neighs.Len()+left.FDB.Len() != 0 {
		t.Errorf("left over:\n%s", left)
	}
}

// TestAFightIsFoughtSlowly has somebody remove one route as often as it comes
// back: it gets its repairs, then few, and everything else is repaired at once.
func TestAFightIsFoughtSlowly(t *testing.T) {
	run(t, func(r *rig) {
		r.wants <- want(t, routeA, routeB)
		r.settle(time.Second)
		removed := 0
		for range 600 { // a minute
			if r.world.State().Find(state(t, routeA).Rows()[0]) != nil {
				r.somebody(netstate.Remove, routeA)
				removed++
			}
			r.settle(100 * time.Millisecond)
		}
		if removed < 8 || removed > 20 {
			t.Errorf("the route came back %d times in a minute", removed)
		}
		if looks := r.kernel.looked(); looks > 40 {
			t.Errorf("%d looks in the fight", looks)
		}
		for r.world.State().Find(state(t, routeA).Rows()[0]) != nil {
			r.somebody(netstate.Remove, routeA)
			r.settle(time.Second)
		}
		r.somebody(netstate.Remove, routeB)
		r.settle(time.Second)
		r.has(routeB)
		contested := slices.ContainsFunc(r.passes, func(p reconcile.Pass) bool {
			return len(p.Contested) == 1 && p.Contested[0].Row == state(t, routeA).Rows()[0] && p.Contested[0].By.PID != 0 && !p.Converged()
		})
		if !contested {
			t.Error("no pass names the contested route and who changes it")
		}
		r.settle(2 * time.Minute) // they have given up
		r.has(routeA)
		if last := r.passes[len(r.passes)-1]; !last.Converged() {
			t.Errorf("after the fight: %+v", last)
		}
	})
}

// TestARepairLooksAtItsKindOnly counts what is looked at for one route.
func TestARepairLooksAtItsKindOnly(t *testing.T) {
	run(t, func(r *rig) {
		r.wants <- want(t, routeA, routeB)
		r.settle(time.Second)
		before := r.kernel.looked()
		r.somebody(netstate.Remove, routeB)
		r.settle(time.Second)
		r.has(routeB)
		for _, k := range r.kernel.kinds[before:] {
			if k != netstate.RouteKind {
				t.Errorf("looked at kinds %b for a route", k)
			}
		}
	})
}

// peers returns the lines of n routes.
func peerLines(n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("route 172.7.%d.0/24 via 10.4.7.22 dev eth0", 100+i))
	}
	return lines
}

// TestAPlanThatLosesMostPeersIsHeld hands the loop a state without the routes
// of leases that are still there.
func TestAPlanThatLosesMostPeersIsHeld(t *testing.T) {
	run(t, func(r *rig) {
		full := want(t, peerLines(20)...)
		full.Peers = 20
		r.wants <- full
		r.settle(time.Second)
		mistake := want(t, peerLines(2)...)
		mistake.Generation, mistake.Peers = 2, 20
		r.wants <- mistake
		r.settle(time.Second)
		r.has(peerLines(20)...)
		if last := r.passes[len(r.passes)-1]; last.Held == nil || last.Converged() || last.Receives() {
			t.Errorf("the pass: %+v", last)
		}
		shrunk := mistake
		shrunk.Generation, shrunk.Peers = 3, 2
		r.wants <- shrunk
		r.settle(time.Second)
		if n := r.world.State().Routes.Len(); n != 2 {
			t.Errorf("%d routes after the snapshot shrank alike", n)
		}
	})
}

// TestACopyAddsAndNeverRemoves hands the loop a state that goes by a copy.
func TestACopyAddsAndNeverRemoves(t *testing.T) {
	run(t, func(r *rig) {
		r.somebody(netstate.Add, "route 172.7.22.0/24 via 10.4.7.99 dev eth0") // newer than the copy
		r.somebody(netstate.Add, routeX)
		w := want(t, routeA, routeB)
		w.KeepStale = true
		r.wants <- w
		r.settle(time.Second)
		r.has("route 172.7.22.0/24 via 10.4.7.99 dev eth0", routeX, routeB)
		if last := r.passes[len(r.passes)-1]; !last.Converged() {
			t.Errorf("the pass: %+v", last)
		}
		w.KeepStale = false
		r.wants <- w
		r.settle(time.Second)
		r.has(routeA, routeB)
		if r.world.State().Find(state(t, routeX).Rows()[0]) != nil {
			t.Error("a stale route stays although the store has spoken")
		}
	})
}
