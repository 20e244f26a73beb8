package agent

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/store/view"
)

const otherNetwork = `{"Network":"10.9.0.0/16","Backend":{"Type":"vxlan"}}`

// TestFormerSubnetsDrainUntilTheirLeasesEnd changes the network and back
// again, with a restart in between and a host that comes in the middle.
func TestFormerSubnetsDrainUntilTheirLeasesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := configured(t, vxlanConfig)
		a, b := newFixture(t, st, "10.4.7.21/24"), newFixture(t, st, "10.4.7.22/24")
		a.start()
		b.start()
		settle(time.Second)
		oldA, oldB := a.subnet(), b.subnet()
		put(t, st, otherNetwork)
		settle(time.Second)
		a.routes(oldB, b.subnet())
		c := newFixture(t, st, "10.4.7.23/24")
		c.start()
		settle(time.Second)
		c.routes(oldA, oldB, a.subnet(), b.subnet())
		b.stop()
		b.start()
		settle(time.Minute)
		b.routes(oldA, a.subnet(), c.subnet())
		for _, addr := range []netip.Prefix{oldB, b.subnet()} {
			if _, ok := b.world.State().Addrs.Find(netstate.Addr{Prefix: netip.PrefixFrom(addr.Addr(), 32), Dev: "flannel.1"}); !ok {
				t.Errorf("flannel.1 has no address of %s:\n%s", addr, b.world.State())
			}
		}
		settle(25 * time.Hour) // the present leases are renewed meanwhile
		a.routes(b.subnet(), c.subnet())
		c.routes(a.subnet(), b.subnet())
		if s := b.agent.board.Status(); len(s.Former) != 0 || len(s.Lease.Draining) != 0 {
			t.Errorf("a day later %v and %v are still there", s.Former, s.Lease.Draining)
		}
		put(t, st, vxlanConfig)
		settle(time.Second)
		if a.subnet() != oldA || b.subnet() != oldB {
			t.Errorf("with the first network back: %s and %s, had %s and %s", a.subnet(), b.subnet(), oldA, oldB)
		}
	})
}

// TestASubnetThatWasGivenAwayIsNotFoughtFor lets another host take a host's
// subnet while that cannot see it.
func TestASubnetThatWasGivenAwayIsNotFoughtFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := configured(t, vxlanConfig)
		a, b := newFixture(t, st, "10.4.7.21/24"), newFixture(t, st, "10.4.7.22/24")
		a.start()
		b.start()
		settle(time.Second)
		held := b.subnet()
		b.store.Break(errors.New("out of reach"))
		if err := st.Release(t.Context(), []netip.Prefix{held}); err != nil {
			t.Fatal(err)
		}
		st.Put(view.Subnets+lease.Key([]netip.Prefix{held}), []byte(`{"PublicIP":"10.4.7.77","BackendType":"host-gw"}`), 24*time.Hour)
		b.store.Mend()
		settle(time.Minute)
		if b.subnet() == held || b.agent.board.Ready() != nil {
			t.Errorf("it has %s, had %s, and is ready: %v", b.subnet(), held, b.agent.board.Ready())
		}
		b.routes(a.subnet(), held)
		a.routes(b.subnet(), held)
		if s := b.agent.board.Status(); len(s.Lease.Draining) != 0 {
			t.Errorf("what is another's drains: %v", s.Lease.Draining)
		}
	})
}
