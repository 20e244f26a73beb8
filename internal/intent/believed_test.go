package intent

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/plan/vxlan"
	"github.com/weft-net/weft/internal/plan/wireguard"
	"github.com/weft-net/weft/internal/sorted"
	"github.com/weft-net/weft/internal/store"
)

func at(subnet, public string) lease.Lease {
	return lease.Lease{
		Subnets: []netip.Prefix{netip.MustParsePrefix(subnet)},
		Attrs:   lease.Attrs{Public: []netip.Addr{netip.MustParseAddr(public)}},
	}
}

func snapshot(leases ...lease.Lease) store.Snapshot {
	return store.Snapshot{Config: []byte("{}"), Leases: lease.SetOf(leases...)}
}

func TestAVanishedLeaseIsNotHeldAgainstItsSuccessor(t *testing.T) {
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
		b := believe(snapshot(last...))
		b.update(snapshot(c.fresh...), time.Second, netstate.WGKey{}, now)
		if n := b.leases.Len(); n != c.want {
			t.Errorf("%s: %d leases, want %d", name, n, c.want)
		}
		if wait := b.expire(now); (wait == 0) != (b.kept.Len() == 0) {
			t.Errorf("%s: %d kept, a tick in %s", name, b.kept.Len(), wait)
		}
		if wait := b.expire(now.Add(time.Second)); wait != 0 || b.leases.Len() != len(c.fresh) || b.kept.Len() != 0 {
			t.Errorf("%s, later: %v kept, a tick in %s", name, b.kept.Slice(), wait)
		}
	}
}

// TestBelievedAddsUp holds what is kept up to date change by change to what
// is counted anew.
func TestBelievedAddsUp(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		random := func() lease.Lease {
			l := at(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(5 + rng.IntN(2)), byte(rng.IntN(8)), 0}), 23+rng.IntN(2)).Masked().String(),
				fmt.Sprintf("192.0.2.%d", rng.IntN(8)))
			if rng.IntN(2) == 0 {
				l.Backend = "vxlan"
				l.Data = lease.Data{V4: vxlan.Data{VNI: uint32(1 + rng.IntN(3)), MAC: vxlan.DeriveMAC(fmt.Sprint(rng.IntN(9)), netconf.V4, 1)}.Marshal()}
			}
			return l
		}
		ranges := []netconf.Previous{{Network: netip.MustParsePrefix("10.5.0.0/16"), SubnetLen: 24}}
		b, now := believe(store.Snapshot{}), time.Unix(1, 0)
		b.under(ranges, false)
		stored := lease.Set{}
		for range 300 {
			for range rng.IntN(3) {
				if l := random(); rng.IntN(3) == 0 {
					stored = stored.Without(l)
				} else {
					stored = stored.With(l)
				}
			}
			snap := store.Snapshot{Leases: stored}
			if rng.IntN(10) > 0 {
				snap.Config = []byte("{}")
			}
			now = now.Add(time.Duration(rng.IntN(800)) * time.Millisecond)
			b.update(snap, time.Second, netstate.WGKey{}, now)
			b.expire(now)
			if err := sound(b); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
}

// sound reports what of b does not fit the rest.
func sound(b believed) error {
	fresh := believe(store.Snapshot{Leases: b.leases})
	fresh.under(b.census.ranges, false)
	want := lease.Set{}
	for l := range b.snapshot.Leases.All() {
		want = want.With(l)
	}
	for k := range b.kept.All() {
		if want.Has(k.Lease) {
			return fmt.Errorf("%v is kept and in the store", k)
		}
		want = want.With(k.Lease)
		if b.superseded(k.Lease) {
			return fmt.Errorf("%v is kept although it was superseded", k)
		}
	}
	if !same(want, b.leases, lease.Lease.Same) {
		return fmt.Errorf("goes by %v, want %v", b.leases.Slice(), want.Slice())
	}
	if !same(fresh.census.irregular, b.census.irregular, lease.Lease.Same) {
		return errors.New("the irregular leases are not those of a fresh count")
	}
	if !same(fresh.census.tunnels, b.census.tunnels, func(x, y tunnelCount) bool { return x == y }) {
		return fmt.Errorf("VNIs %v, want %v", b.census.tunnels.Slice(), fresh.census.tunnels.Slice())
	}
	return nil
}

func same[E sorted.Element[E]](a, b sorted.Set[E], equal func(x, y E) bool) bool {
	for c := range sorted.Diff(a, b) {
		if c.Old == nil || c.New == nil || !equal(*c.Old, *c.New) {
			return false
		}
	}
	return true
}

// Thousands of leases that come at once, as at the start, are not taken in one
// by one.
func TestAFirstSnapshotIsTakenInAtOnce(t *testing.T) {
	var all []lease.Lease
	for i := range 2000 {
		all = append(all, at(fmt.Sprintf("10.%d.%d.0/24", i>>8, i&255), fmt.Sprintf("192.0.%d.%d", i>>8, i&255)))
	}
	snap := snapshot(all...)
	per := testing.AllocsPerRun(5, func() {
		b := believe(store.Snapshot{})
		b.update(snap, time.Second, netstate.WGKey{}, time.Unix(1, 0))
		if b.leases.Len() != len(all) {
			t.Fatal(b.leases.Len(), "leases")
		}
	}) / float64(len(all))
	if per > 1 {
		t.Errorf("%.1f allocations for each lease", per)
	}
}

// Leases that vanish one shortly after the other go together.
func TestKeptLeasesGoTogether(t *testing.T) {
	now := time.Unix(1, 0)
	last := []lease.Lease{at("10.5.1.0/24", "192.0.2.1"), at("10.5.2.0/24", "192.0.2.2")}
	b := believe(snapshot(last...))
	b.update(snapshot(last[1]), time.Second, netstate.WGKey{}, now)
	b.update(snapshot(), time.Second, netstate.WGKey{}, now.Add(5*time.Millisecond))
	wait := b.expire(now.Add(time.Second))
	if b.kept.Len() != 1 || wait != expireTogether {
		t.Errorf("%d kept, the next goes in %s", b.kept.Len(), wait)
	}
}

// TestOneOfTwoHostsBeginsTheHandshake has two hosts learn of each other's switch to wireguard.
func TestOneOfTwoHostsBeginsTheHandshake(t *testing.T) {
	now := time.Unix(1, 0)
	switched := func(key netstate.WGKey) lease.Lease {
		l := at("10.5.2.0/24", "192.0.2.2")
		l.Backend = plan.WireGuard
		l.Data = l.Data.With(netconf.V4, wireguard.Data{Key: key, Port: 51820}.Marshal())
		return l
	}
	before, low, high := at("10.5.2.0/24", "192.0.2.2"), netstate.WGKey{1}, netstate.WGKey{2}
	before.Backend = plan.VXLAN
	for name, c := range map[string]struct {
		own, peer netstate.WGKey
		waits     bool
	}{
		"the peer begins":           {high, low, true},
		"this host begins":          {low, high, false},
		"nothing may travel as yet": {netstate.WGKey{}, low, false},
	} {
		b := believe(snapshot(before))
		b.update(snapshot(switched(c.peer)), time.Second, c.own, now)
		if got := b.leases.Slice()[0].Backend == plan.VXLAN; got != c.waits {
			t.Errorf("%s: goes by %v", name, b.leases.Slice())
		}
		if wait := b.expire(now); (wait > 0) != c.waits {
			t.Errorf("%s: a tick in %s", name, wait)
		}
		if wait := b.expire(now.Add(handshakeLead)); wait != 0 || !b.leases.Slice()[0].Same(switched(c.peer)) || b.kept.Len() != 0 {
			t.Errorf("%s, later: goes by %v, a tick in %s", name, b.leases.Slice(), wait)
		}
	}

	b := believe(snapshot(before))
	b.update(snapshot(switched(low)), time.Second, high, now)
	b.update(snapshot(), time.Second, high, now)
	if b.expire(now.Add(handshakeLead)); b.leases.Len() != 0 || b.kept.Len() != 0 {
		t.Errorf("a lease that vanished while it was held back stays: %v", b.leases.Slice())
	}
	b = believe(snapshot(before))
	b.update(snapshot(switched(low)), time.Second, high, now)
	b.update(snapshot(before), time.Second, high, now)
	if wait := b.expire(now); wait != 0 || !b.leases.Slice()[0].Same(before) {
		t.Errorf("a lease that changed back is held back: %v", b.leases.Slice())
	}
}
