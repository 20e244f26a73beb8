package agent

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/lease"
)

// lingering is a network of three hosts that go by vanished leases for a
// while.
func lingering(t *testing.T) (a, b, c *station) {
	st := configured(t, vxlanConfig)
	var all []*station
	for _, addr := range []string{"10.4.7.21/24", "10.4.7.22/24", "10.4.7.23/24"} {
		s := newStation(t, st, addr)
		s.linger = DefaultLinger
		s.start()
		all = append(all, s)
	}
	settle(time.Second)
	for _, s := range all {
		s.held = s.subnet()
	}
	return all[0], all[1], all[2]
}

func release(t *testing.T, s *station, subnet netip.Prefix) {
	t.Helper()
	if err := s.store.Release(t.Context(), []netip.Prefix{subnet}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func TestALeaseDeletedUnderItsHostChangesNoKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := lingering(t)
		written := map[*station]int{}
		for _, s := range []*station{a, b, c} {
			written[s] = len(s.world.Applied())
		}
		release(t, a, b.held)
		settle(time.Minute)
		for _, s := range []*station{a, b, c} {
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
		settle(DefaultLinger - time.Millisecond)
		a.routes(b.held, c.held)
		settle(2 * time.Millisecond)
		a.routes(c.held)
	})
}

func TestAVanishedLeaseIsNotHeldAgainstItsSuccessor(t *testing.T) {
	at := func(subnet, public string) lease.Lease {
		return lease.Lease{
			Subnets: []netip.Prefix{netip.MustParsePrefix(subnet)},
			Attrs:   lease.Attrs{Public: []netip.Addr{netip.MustParseAddr(public)}},
		}
	}
	now := time.Unix(1, 0)
	last := []lease.Lease{at("10.5.1.0/24", "192.0.2.1"), at("10.5.2.0/24", "192.0.2.2"), at("10.5.3.0/24", "192.0.2.3")}
	for name, c := range map[string]struct {
		fresh []lease.Lease
		want  int
	}{
		"nobody's":                     {[]lease.Lease{last[0], last[2]}, 3},
		"its subnet is in another":     {[]lease.Lease{last[0], at("10.5.2.0/23", "192.0.2.9")}, 2},
		"its host has another lease":   {[]lease.Lease{last[0], last[2], at("10.5.9.0/24", "192.0.2.2")}, 3},
		"the host's return is no news": {last, 3},
		"all are gone":                 {nil, 3},
	} {
		merged, left, wait := vanished(nil).linger(last, c.fresh, time.Second, now)
		if len(merged) != c.want || (wait == 0) != (len(left) == 0) {
			t.Errorf("%s: %v, until %v, look again in %s", name, merged, left, wait)
		}
		later, left, wait := left.linger(merged, c.fresh, time.Second, now.Add(time.Second))
		if len(later) != len(c.fresh) || len(left) != 0 || wait != 0 {
			t.Errorf("%s, later: %v, %v, %s", name, later, left, wait)
		}
	}
}
