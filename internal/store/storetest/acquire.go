package storetest

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

// flanneldLease is what flanneld stores for host(1) on vxlan.
const flanneldLease = `{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"ee:d7:5f:67:71:11"}}`

const day = 24 * time.Hour

var acquireTests = map[string]func(*testing.T, Fixture){
	"acquire a new lease": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, host(1))
		if l.TTL < day-time.Minute || l.TTL > day || l.Reserved {
			t.Errorf("TTL %v, reserved %v; want 24h, false", l.TTL, l.Reserved)
		}
		if r := network(t, wide).Ranges[0]; r.Fits(l.Subnets[0]) != nil {
			t.Errorf("%v is not a subnet of the network: %v", l.Subnets, r.Fits(l.Subnets[0]))
		}
		if got := stored(t, f.Open(t)); !sameLease(got, l) {
			t.Errorf("stored %v, acquired %v", got, l)
		}
	},
	"a store with a Timer tells what is left of a lease": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		acquire(t, s, wide, host(1))
		timer, ok := s.(store.Timer)
		if !ok {
			return
		}
		leases := []lease.Lease{stored(t, s)}
		if err := timer.Terms(within(t), leases); err != nil || leases[0].TTL < day-time.Minute || leases[0].TTL > day {
			t.Errorf("%v is left, error %v; want nearly 24h", leases[0].TTL, err)
		}
	},
	"the subnet survives a change of address": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		first := acquire(t, s, wide, host(1))
		moved := host(1)
		moved.Public = host(77).Public
		if again := acquire(t, s, wide, moved); !slices.Equal(again.Subnets, first.Subnets) {
			t.Errorf("got %v, had %v", again.Subnets, first.Subnets)
		}
		heir := host(2) // may take the address that is free now
		heir.Public = host(1).Public
		if l := acquire(t, s, wide, heir); slices.Equal(l.Subnets, first.Subnets) {
			t.Errorf("two hosts have %v", l.Subnets)
		}
	},
	"the preferred subnet is taken": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		c := host(1)
		c.Preferred = prefixes("10.5.34.1/24")
		if l := acquire(t, s, wide, c); !slices.Equal(l.Subnets, prefixes("10.5.34.0/24")) {
			t.Errorf("got %v", l.Subnets)
		}
		c = host(2)
		c.Preferred = prefixes("10.5.34.1/24")
		if l := acquire(t, s, wide, c); slices.Equal(l.Subnets, prefixes("10.5.34.0/24")) {
			t.Errorf("two hosts have %v", l.Subnets)
		}
	},
	"a reservation stays one": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		f.Put(t, "subnets/10.5.9.0-24", `{"PublicIP":"192.0.2.1"}`, 0)
		for range 2 {
			l := acquire(t, s, wide, host(1))
			if !slices.Equal(l.Subnets, prefixes("10.5.9.0/24")) || !l.Reserved || l.TTL != 0 {
				t.Errorf("got %v, reserved %v, TTL %v", l.Subnets, l.Reserved, l.TTL)
			}
			if got := stored(t, s); !sameLease(got, l) {
				t.Errorf("stored %v, acquired %v", got, l)
			}
		}
	},
	"a lease that lost its time to live gets it again": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, host(1))
		f.Put(t, "subnets/"+lease.Key(l.Subnets), string(must[[]byte](t)(lease.MarshalAttrs(l.Attrs))), 0)
		again := acquire(t, s, wide, host(1))
		if !sameLease(again, l) || again.TTL < day-time.Minute || !sameLease(stored(t, s), l) {
			t.Errorf("got %v for %v, stored %v", again, again.TTL, stored(t, s))
		}
	},
	"flanneld's lease is adopted": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		f.Put(t, "subnets/10.5.34.0-24", flanneldLease, day)
		l := acquire(t, s, wide, host(1))
		if !slices.Equal(l.Subnets, prefixes("10.5.34.0/24")) || l.Reserved {
			t.Errorf("got %v, reserved %v", l.Subnets, l.Reserved)
		}
		if got := stored(t, s); !sameLease(got, l) || string(got.Data.Of(netconf.V4)) != string(host(1).Data.Of(netconf.V4)) {
			t.Errorf("stored %v, acquired %v", got, l)
		}
	},
	"a lease outside the network is replaced, and drains": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		f.Put(t, "subnets/10.77.1.0-24", flanneldLease, day)
		l := acquire(t, s, wide, host(1))
		drains := l
		drains.Subnets = prefixes("10.77.1.0/24")
		holds(t, s, l, drains)
		if err := s.Release(within(t), drains.Subnets); err != nil {
			t.Fatal(err)
		}
		c := host(1)
		c.Former = previous("10.5.0.0/16-24,10.55.0.0/16-24")
		other := acquire(t, s, `{"Network":"10.6.0.0/16"}`, c)
		holds(t, s, l, other)
		if got := snapshot(t, s).Former; !slices.Equal(got, previous("10.5.0.0/16-24")) {
			t.Errorf("the former networks are %v", got)
		}
		c.Former = nil
		c.Data = lease.Data{V4: []byte(`{"VNI":2,"VtepMAC":"02:00:00:00:00:22"}`)}
		l.Attrs = c.Attrs
		other = acquire(t, s, `{"Network":"10.6.0.0/16"}`, c)
		holds(t, s, l, other)
		if again := acquire(t, s, wide, c); !sameLease(again, l) {
			t.Errorf("with the first network back: had %v, got %v", l, again)
		}
		if got := snapshot(t, s).Former; len(got) != 0 {
			t.Errorf("with the first network back the former networks are %v", got)
		}
	},
	"of two families one drains": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		c := host(1)
		c.Public = append(c.Public, netip.MustParseAddr("2001:db8::1"))
		l := acquire(t, s, dual, c)
		c.Former = previous("10.5.0.0/16-24")
		other := acquire(t, s, strings.Replace(dual, "10.5", "10.6", 1), c)
		if other.Subnets[1] != l.Subnets[1] {
			t.Errorf("had %v, got %v", l.Subnets, other.Subnets)
		}
		l.Subnets = l.Subnets[:1]
		holds(t, s, l, other)
		follower := Follow(t, s)
		follower.Until(t, func(snap store.Snapshot) bool { return slices.Equal(snap.Former, c.Former) })
		if err := s.Release(within(t), l.Subnets); err != nil {
			t.Fatal(err)
		}
		follower.Until(t, func(snap store.Snapshot) bool { return len(snap.Former) == 0 && snap.Leases.Len() == 1 })
	},
	"an address is one host's": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		first := acquire(t, s, wide, host(1))
		c := host(2)
		c.Public = host(1).Public
		_, err := s.Acquire(within(t), network(t, wide), c)
		taken, ok := errors.AsType[*store.AddressTakenError](err)
		if !ok {
			t.Fatalf("error %v, want an AddressTakenError", err)
		}
		if taken.Holder != host(1).Owner || !slices.Equal(taken.Held, first.Subnets) || taken.Addr != c.Public[0] {
			t.Errorf("it says %+v", taken)
		}
	},
	"an exhausted network": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		var first lease.Lease
		n := int(network(t, narrow).Ranges[0].Count())
		for i := range n {
			first = acquire(t, s, narrow, host(i+1))
		}
		_, err := s.Acquire(within(t), network(t, narrow), host(n+1))
		if !errors.Is(err, store.ErrExhausted) {
			t.Fatalf("error %v, want ErrExhausted", err)
		}
		if err := s.Release(within(t), first.Subnets); err != nil {
			t.Fatal(err)
		}
		if l := acquire(t, s, narrow, host(n+1)); !slices.Equal(l.Subnets, first.Subnets) {
			t.Errorf("got %v, free was %v", l.Subnets, first.Subnets)
		}
	},
	"a lease that cannot be read is in nobody's way and nobody's": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		n := int(network(t, narrow).Ranges[0].Count())
		f.Put(t, "subnets/10.5.2.0-24", "rubbish", 0)
		f.Put(t, "subnets/rubbish", "rubbish", 0)
		for i := range n - 1 {
			if l := acquire(t, s, narrow, host(i+1)); slices.Equal(l.Subnets, prefixes("10.5.2.0/24")) {
				t.Errorf("host %d got %v", i+1, l.Subnets)
			}
		}
		if _, err := s.Acquire(within(t), network(t, narrow), host(n)); !errors.Is(err, store.ErrExhausted) {
			t.Errorf("error %v, want ErrExhausted", err)
		}
	},
}
