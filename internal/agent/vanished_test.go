package agent

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// lingering is a network of three hosts that go by vanished leases for a
// while.
func lingering(t *testing.T) (a, b, c *fixture) {
	st := configured(t, vxlanConfig)
	var all []*fixture
	for _, addr := range []string{"10.4.7.21/24", "10.4.7.22/24", "10.4.7.23/24"} {
		s := newFixture(t, st, addr)
		s.grace = DefaultGrace
		s.start()
		all = append(all, s)
	}
	settle(time.Second)
	for _, s := range all {
		s.held = s.subnet()
	}
	return all[0], all[1], all[2]
}

func release(t *testing.T, s *fixture, subnet netip.Prefix) {
	t.Helper()
	if err := s.store.Release(t.Context(), []netip.Prefix{subnet}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func TestALeaseDeletedUnderItsHostChangesNoKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := lingering(t)
		written := map[*fixture]int{}
		for _, s := range []*fixture{a, b, c} {
			written[s] = len(s.world.Applied())
		}
		release(t, a, b.held)
		settle(time.Minute)
		for _, s := range []*fixture{a, b, c} {
			if extra := s.world.Applied()[written[s]:]; len(extra) != 0 || s.subnet() != s.held {
				t.Errorf("%s changed %v; its subnet was %s and is %s", s.name, extra, s.held, s.subnet())
			}
		}
	})
}

func TestAHostThatIsGoneIsForgottenAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := lingering(t)
		b.stop()
		release(t, a, b.held)
		settle(DefaultGrace - time.Millisecond)
		a.routes(b.held, c.held)
		settle(2 * time.Millisecond)
		a.routes(c.held)
	})
}
