package storetest

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

// agentOf returns the claim of the first host, as an agent makes it in one
// session of one boot. Two machines are never in the same boot.
func agentOf(boot, session string) lease.Claim {
	c := host(1)
	c.Product, c.Boot, c.Session = "p-1", boot, session
	return c
}

// copyOf is what agentOf is on a copy of the machine.
func copyOf(boot, session string) lease.Claim {
	c := agentOf(boot, session)
	c.Hostname, c.Public = "copy", []netip.Addr{netip.MustParseAddr("192.0.2.91")}
	return c
}

// identityTests are about agents that have, or seem to have, one identity.
var identityTests = map[string]func(*testing.T, Fixture){
	"a restarted agent does not have to ask": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, agentOf("b-1", "s-1"))
		h := Hold(t, s, l, agentOf("b-1", "s-1").Owner) // would answer
		if again := acquire(t, f.Open(t), wide, agentOf("b-1", "s-2")); !sameLease(again, l) {
			t.Errorf("got %v, had %v", again, l)
		}
		lost(t, h, "another agent with this host's identity")
	},
	"a rebooted host gets its lease when nobody answers": func(t *testing.T, f Fixture) {
		l := acquire(t, f.Open(t), wide, agentOf("b-1", "s-1"))
		if again := acquire(t, f.Open(t), wide, agentOf("b-2", "s-2")); !sameLease(again, l) || !sameLease(stored(t, f.Open(t)), l) {
			t.Errorf("got %v, had %v", again, l)
		}
	},
	"a clone is refused while its original runs": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, agentOf("b-1", "s-1"))
		h := Hold(t, s, l, agentOf("b-1", "s-1").Owner)
		for name, c := range map[string]lease.Claim{
			"with another address": copyOf("b-2", "s-2"),
			"with all the same":    agentOf("b-2", "s-3"),
		} {
			_, err := f.Open(t).Acquire(within(t), network(t, wide), c)
			clone, ok := errors.AsType[*lease.CloneError](err)
			if !ok {
				t.Fatalf("%s: error %v, want a CloneError", name, err)
			}
			if clone.Holder != agentOf("b-1", "s-1").Owner || clone.Claimant != c.Owner || !slices.Equal(clone.Held.Subnets, l.Subnets) {
				t.Errorf("%s: it says %+v", name, clone)
			}
			for _, word := range []string{"host-1", "192.0.2.1", c.Hostname, c.Public[0].String()} {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%s: %q does not name %s", name, err, word)
				}
			}
		}
		h.cancel()
		if err := h.Err(t); !errors.Is(err, context.Canceled) || !sameLease(stored(t, s), l) {
			t.Errorf("the original ended with %v; stored %v", err, stored(t, s))
		}
	},
	"of two agents in one boot the second stays": func(t *testing.T, f Fixture) {
		first, second := f.Open(t), f.Open(t)
		l := acquire(t, first, wide, agentOf("b-1", "s-1"))
		h := Hold(t, first, l, agentOf("b-1", "s-1").Owner)
		acquire(t, second, wide, agentOf("b-1", "s-2"))
		lost(t, h, "another agent")
		stays := Hold(t, second, l, agentOf("b-1", "s-2").Owner)
		_, err := first.Acquire(within(t), network(t, wide), agentOf("b-1", "s-1"))
		if _, ok := errors.AsType[*lease.CloneError](err); !ok {
			t.Errorf("error %v, want a CloneError", err)
		}
		stays.cancel()
		if err := stays.Err(t); !errors.Is(err, context.Canceled) {
			t.Errorf("the second ended with %v", err)
		}
	},
	"a host set up anew at its address is let in when the old one is gone": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, agentOf("b-1", "s-1"))
		h := Hold(t, s, l, agentOf("b-1", "s-1").Owner)
		anew := host(2)
		anew.Public, anew.Product, anew.Boot, anew.Session = host(1).Public, "p-1", "b-2", "s-2"
		_, err := f.Open(t).Acquire(within(t), network(t, wide), anew)
		taken, ok := errors.AsType[*store.AddressTakenError](err)
		if !ok || taken.Holder != agentOf("b-1", "s-1").Owner || taken.Claimant != anew.Owner {
			t.Fatalf("while the old one runs: %v, %+v", err, taken)
		}
		h.cancel()
		if err := h.Err(t); !errors.Is(err, context.Canceled) {
			t.Errorf("the old one ended with %v", err)
		}
		got := acquire(t, f.Open(t), wide, anew)
		if !slices.Equal(got.Subnets, l.Subnets) || !sameLease(stored(t, s), got) {
			t.Errorf("got %v, the old one had %v, stored %v", got, l, stored(t, s))
		}
		// The old one comes back: now it is the stranger.
		if err := s.Hold(within(t), l, agentOf("b-1", "s-1").Owner, 0); !errors.Is(err, store.ErrLost) {
			t.Errorf("the old one's Hold: %v", err)
		}
	},
	"of clones that start at once one gets a lease": func(t *testing.T, f Fixture) {
		ctx, cancel := context.WithCancel(within(t))
		defer cancel()
		var won, refused int
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 4 {
			s, c := f.Open(t), host(i+1)
			c.ID, c.Machine, c.Boot, c.Session = "id-1", "m-1", c.Hostname, c.Hostname
			net := network(t, wide)
			all.Go(func() {
				l, err := s.Acquire(ctx, net, c)
				_, isClone := errors.AsType[*lease.CloneError](err)
				mu.Lock()
				switch {
				case err == nil:
					won++
				case isClone:
					refused++
				default:
					t.Errorf("%s: %v", c.Hostname, err)
				}
				if refused == 3 {
					cancel()
				}
				mu.Unlock()
				if err == nil {
					_ = s.Hold(ctx, l, c.Owner, 0)
				}
			})
		}
		all.Wait()
		if n := snapshot(t, f.Open(t)).Leases.Len(); won != 1 || n != 1 {
			t.Errorf("%d got a lease, %d were refused, %d leases are stored", won, refused, n)
		}
	},
}
