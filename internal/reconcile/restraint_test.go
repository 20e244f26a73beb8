package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/reconcile/memkernel"
)

func (r *rig) last() reconcile.Pass {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.passes[len(r.passes)-1]
}

// fight has somebody undo what the loop does, as often as it does it, for a
// minute and some seconds, and returns how often that was.
func (r *rig) fight(line string, undo func()) (times int) {
	row := state(r.t, line).Rows()[0]
	for range 630 {
		if r.world.State().Find(row) == row {
			undo()
			times++
		}
		r.settle(100 * time.Millisecond)
	}
	return times
}

// TestAPlanWithoutItsDeviceIsHeld hands the loop an empty state, whose routes
// would all go with their device.
func TestAPlanWithoutItsDeviceIsHeld(t *testing.T) {
	run(t, func(r *rig) {
		lines := []string{tunnel[0], tunnel[1]}
		for i := range 20 {
			lines = append(lines, fmt.Sprintf("route 172.7.%d.0/24 via 172.7.%d.0 dev flannel.1 onlink", 100+i, 100+i))
		}
		full := want(t, lines...)
		full.Peers = 20
		r.wants <- full
		r.settle(time.Second)
		mistake := full
		mistake.State, mistake.Generation = &netstate.State{}, 2
		r.wants <- mistake
		r.settle(time.Second)
		r.has(lines...)
		if p := r.last(); p.Held == nil || p.Generation != 2 || !strings.Contains(p.Fault().Error(), "20 of 20 routes") {
			t.Errorf("the pass: %+v", p)
		}
		if p := reconcile.Once(t.Context(), r.world.Open(), mistake); !p.Converged() || r.world.State().Routes.Len() != 0 {
			t.Errorf("a clean is held: %+v", p)
		}
	})
}

// TestACopyRemakesAFirewallTable has a chain that can only be made anew.
func TestACopyRemakesAFirewallTable(t *testing.T) {
	world := memkernel.New("eth0")
	k := world.Open()
	lines := []string{"table weft", "chain weft guard type filter hook input priority -10 policy accept"}
	if p := reconcile.Once(t.Context(), k, want(t, lines...)); !p.Converged() {
		t.Fatal(p)
	}
	before := len(world.Applied())
	synctest.Test(t, func(t *testing.T) {
		w := want(t, lines[0], strings.Replace(lines[1], "-10", "-9", 1))
		w.KeepStale = true
		p := onePass(t, world.Open(), w)
		if !p.Converged() {
			t.Fatal(p)
		}
	})
	if ops := world.Applied()[before:]; len(ops) != 3 || ops[0].String() != "- table weft" {
		t.Errorf("applied %v", ops)
	}
}

// onePass runs a loop until its first pass is over.
func onePass(t *testing.T, k reconcile.Kernel, w reconcile.Want) (first reconcile.Pass) {
	ctx, cancel := context.WithCancel(t.Context())
	loop := &reconcile.Loop{
		Kernel: k, Log: slog.New(slog.DiscardHandler), Resync: time.Hour,
		Report: func(p reconcile.Pass) { first = p; cancel() },
		Facts:  func() {}, Drift: func([]netstate.Event) {},
	}
	wants := make(chan reconcile.Want, 1)
	wants <- w
	if err := loop.Run(ctx, wants); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	return first
}

// TestAFightOverADevice has somebody remove the tunnel as often as it is made,
// or make another of it. What stands on it waits with it.
func TestAFightOverADevice(t *testing.T) {
	moved := strings.Replace(tunnel[0], "port 8472", "port 4789", 1)
	for name, undo := range map[string]func(*rig){
		"removed": func(r *rig) { r.somebody(netstate.Remove, tunnel[0]) },
		"remade":  func(r *rig) { r.somebody(netstate.Remove, tunnel[0]); r.somebody(netstate.Add, moved) },
		"down": func(r *rig) {
			r.somebody(netstate.Replace, strings.Replace(tunnel[0], " up", " down", 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				r.wants <- want(t, append(tunnel, routeA)...)
				r.settle(time.Second)
				if n := r.fight(tunnel[0], func() { undo(r) }); n < 8 || n > 20 {
					t.Errorf("the device came back %d times in a minute", n)
				}
				p := r.last()
				if p.Receives() || len(p.Failures) != 0 || len(p.Contested) != 1 || p.Contested[0].Row != state(t, tunnel[0]).Rows()[0] {
					t.Errorf("failures %v, contested %v", p.Failures, p.Contested)
				}
				if text := p.Contested[0].Error(); !strings.Contains(text, "flannel.1") || !strings.Contains(text, "by process") {
					t.Errorf("the contest: %s", text)
				}
				if name == "remade" {
					r.has(moved)
				}
				r.somebody(netstate.Remove, routeA)
				r.settle(time.Second)
				r.has(routeA)
				r.settle(time.Minute)
				r.has(append(tunnel, routeA)...)
				if !r.last().Converged() {
					t.Errorf("after the fight: %v", r.last().Fault())
				}
			})
		})
	}
}

// TestAFightOverAnMTUKeepsNoPeerOut has somebody change an attribute with
// which the tunnel still works.
func TestAFightOverAnMTUKeepsNoPeerOut(t *testing.T) {
	run(t, func(r *rig) {
		small := strings.Replace(tunnel[0], "mtu 1450", "mtu 1400", 1)
		r.wants <- want(t, tunnel[:4]...)
		r.settle(time.Second)
		r.fight(tunnel[0], func() { r.somebody(netstate.Replace, small) })
		r.wants <- want(t, tunnel...)
		r.settle(200 * time.Millisecond)
		r.has(small, tunnel[4])
	})
}

// TestAFightOverAnUnwantedObject has somebody add a route under our protocol
// as often as it is removed.
func TestAFightOverAnUnwantedObject(t *testing.T) {
	run(t, func(r *rig) {
		r.wants <- want(t, routeA)
		r.settle(time.Second)
		stale := state(t, routeX).Rows()[0]
		added := 0
		for range 600 {
			if r.world.State().Find(stale) == nil {
				r.somebody(netstate.Add, routeX)
				added++
			}
			r.settle(100 * time.Millisecond)
		}
		if added < 8 || added > 20 {
			t.Errorf("the route went %d times in a minute", added)
		}
		r.settle(time.Minute)
		if r.world.State().Find(stale) != nil || !r.last().Converged() {
			t.Errorf("after the fight: %v", r.last().Fault())
		}
	})
}

// TestWhoeverIsNotNamedIsLimitedIfAProgram has routes removed by news that
// names no object: a program's is a fight, a link that comes and goes is not.
func TestWhoeverIsNotNamedIsLimitedIfAProgram(t *testing.T) {
	for name, tc := range map[string]struct {
		told        netstate.Event
		least, most int
	}{
		"a program":            {netstate.Event{By: "nft[7]", Facts: true}, 8, 20},
		"an unnamed program":   {netstate.Event{PID: 7}, 8, 20},
		"a link":               {netstate.Event{PID: 7, Facts: true}, 50, 75},
		"the kernel by itself": {netstate.Event{Row: state(t, routeA).Rows()[0], Gone: true}, 300, 630},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				r.kernel.told(func(e netstate.Event) netstate.Event {
					if e.PID == 1 { // the other's, who is the first on the host
						return tc.told
					}
					return e
				})
				r.wants <- want(t, routeA)
				r.settle(time.Second)
				if n := r.fight(routeA, func() { r.somebody(netstate.Remove, routeA) }); n < tc.least || n > tc.most {
					t.Errorf("the route came back %d times in a minute", n)
				}
				contested := slices.ContainsFunc(r.passes, func(p reconcile.Pass) bool {
					return len(p.Contested) == 1 && p.Contested[0].By == tc.told
				})
				if contested != (tc.most < 50) {
					t.Errorf("contested: %v", contested)
				}
			})
		})
	}
}

// TestChangedWantsAreNotLimited changes what is desired of a contested object.
func TestChangedWantsAreNotLimited(t *testing.T) {
	run(t, func(r *rig) {
		r.wants <- want(t, routeA)
		r.settle(time.Second)
		r.fight(routeA, func() { r.somebody(netstate.Remove, routeA) })
		elsewhere := strings.Replace(routeA, "10.4.7.22", "10.4.7.44", 1)
		r.wants <- want(t, elsewhere)
		r.settle(time.Second)
		r.has(elsewhere)
	})
}

// TestUnnamedNewsIsLookedAtEverFewer sends news that names no object, all the
// time.
func TestUnnamedNewsIsLookedAtEverFewer(t *testing.T) {
	run(t, func(r *rig) {
		r.wants <- want(t, routeA)
		r.settle(time.Second)
		before := r.kernel.looked()
		for range 600 {
			r.world.Emit(netstate.Event{})
			r.settle(100 * time.Millisecond)
		}
		if n := r.kernel.looked() - before; n < 50 || n > 75 {
			t.Errorf("looked %d times in a minute", n)
		}
	})
}

// TestAFailingObjectMakesOtherChangesNoDearer changes one route all the time
// while another cannot be made.
func TestAFailingObjectMakesOtherChangesNoDearer(t *testing.T) {
	run(t, func(r *rig) {
		r.world.Fail(state(t, routeA).Rows()[0], syscall.EINVAL)
		r.wants <- want(t, routeA, routeB)
		r.settle(10 * time.Minute)
		looks, passes := r.kernel.looked(), len(r.passes)
		for i := range 1000 { // ten seconds
			w := want(t, routeA, fmt.Sprintf("route 172.7.23.0/24 via 10.4.7.%d dev eth0", 30+i%2))
			w.Generation = uint64(i)
			r.wants <- w
			r.settle(10 * time.Millisecond)
			if p := r.last(); p.Converged() || len(p.Failures) != 1 || p.Generation != uint64(i) {
				t.Fatalf("the pass: %+v", p)
			}
		}
		if n := r.kernel.looked() - looks; n > 2 {
			t.Errorf("%d looks at the kernel for %d changes", n, len(r.passes)-passes)
		}
		// An object that begins to fail is tried again soon, though the other waits for long.
		bad := state(t, routeX).Rows()[0]
		r.world.Fail(bad, syscall.EINVAL)
		r.wants <- want(t, routeA, routeX)
		r.settle(10 * time.Millisecond)
		r.world.Fail(bad, nil)
		r.settle(time.Second)
		r.has(routeX)
	})
}

// TestLooksAreOfTheKindsInDoubt checks what each kind of news leads to.
func TestLooksAreOfTheKindsInDoubt(t *testing.T) {
	run(t, func(r *rig) {
		r.wants <- want(t, append(tunnel, routeA, "table weft", "sysctl net/ipv4/ip_forward 1")...)
		r.settle(time.Second)
		for line, kinds := range map[string]netstate.Kinds{
			tunnel[1]: netstate.AddrKind | netstate.SysctlKind, tunnel[2]: netstate.NeighKind, tunnel[3]: netstate.FDBKind,
			routeA: netstate.RouteKind, "table weft": netstate.FirewallKind,
		} {
			before := r.kernel.looked()
			r.somebody(netstate.Remove, line)
			r.settle(time.Second)
			r.has(line)
			if got := r.kernel.kinds[before:]; !slices.Equal(got, []netstate.Kinds{kinds}) {
				t.Errorf("%s: looked at kinds %b, want %b", line, got, kinds)
			}
		}
		r.world.Fail(state(t, routeB).Rows()[0], syscall.EINVAL)
		before := r.kernel.looked()
		r.wants <- want(t, append(tunnel, routeA, routeB, "table weft", "sysctl net/ipv4/ip_forward 1")...)
		r.settle(time.Second)
		for _, k := range r.kernel.kinds[before:] {
			if k != netstate.RouteKind && k != netstate.AllKinds { // the scope is another at first
				t.Errorf("a failing route: looked at kinds %b", k)
			}
		}
	})
}

// deaf is a kernel whose watch ends after a while.
type deaf struct {
	reconcile.Kernel
	lasts   time.Duration
	watches int
}

func (d *deaf) Watch(ctx context.Context, fn func(netstate.Event)) error {
	d.watches++
	fn(netstate.Event{})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d.lasts):
		return syscall.ENOBUFS
	}
}

// TestAWatchThatEndsAtOnceIsBegunEverMoreSlowly counts the watches in ten
// minutes.
func TestAWatchThatEndsAtOnceIsBegunEverMoreSlowly(t *testing.T) {
	for lasts, most := range map[time.Duration][2]int{time.Millisecond: {20, 60}, 20 * time.Second: {29, 31}} {
		synctest.Test(t, func(t *testing.T) {
			k := &deaf{Kernel: memkernel.New("eth0").Open(), lasts: lasts}
			loop := &reconcile.Loop{
				Kernel: k, Log: slog.New(slog.DiscardHandler), Resync: time.Hour,
				Report: func(reconcile.Pass) {}, Facts: func() {}, Drift: func([]netstate.Event) {},
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			if err := loop.Run(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if k.watches < most[0] || k.watches > most[1] {
				t.Errorf("watches that last %v: %d begun in ten minutes", lasts, k.watches)
			}
		})
	}
}
