package storetest

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

func describer(t *testing.T, s store.Store) store.Describer {
	t.Helper()
	d, ok := s.(store.Describer)
	if !ok {
		t.Fatalf("%T is not a store.Describer", s)
	}
	return d
}

func about(n string, mtu int) lease.Host {
	return lease.Host{Name: n, Version: "1.0", OnLink: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, MTU: mtu}
}

var describeTests = map[string]func(*testing.T, Fixture){
	"a snapshot tells what hosts say of themselves": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		setConfig(t, s, wide)
		l := acquire(t, s, wide, host(1))
		follower := Follow(t, f.Open(t))
		shows := func(want lease.Host) func(store.Snapshot) bool {
			want.Lease = lease.Key(l.Subnets)
			return func(snap store.Snapshot) bool {
				got, ok := snap.Hosts.Find(lease.HostOf(l.Subnets))
				return ok && got.Equal(want) && snap.Hosts.Len() == 1
			}
		}
		for _, want := range []lease.Host{about("a", 1500), about("a", 9000), about("b", 9000)} {
			if err := describer(t, s).Describe(within(t), l, want); err != nil {
				t.Fatal(err)
			}
			follower.Until(t, shows(want))
			if snap := snapshot(t, s); !shows(want)(snap) {
				t.Errorf("read %v, want %v", snap.Hosts.Slice(), want)
			}
		}
		if err := describer(t, s).Describe(within(t), l, about("b", 9000)); err != nil {
			t.Errorf("the same again: %v", err)
		}
		f.Put(t, "weft/hosts/"+lease.Key(l.Subnets), "no JSON", 0)
		follower.Until(t, func(snap store.Snapshot) bool { return snap.Hosts.Len() == 0 })
	},
	"what a host says goes with its lease": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		setConfig(t, s, wide)
		l := acquire(t, s, wide, host(1))
		if err := describer(t, s).Describe(within(t), l, about("a", 1500)); err != nil {
			t.Fatal(err)
		}
		reserve(t, s, lease.Lease{Subnets: l.Subnets})
		if n := snapshot(t, s).Hosts.Len(); n != 1 {
			t.Errorf("a reservation leaves %d hosts, want 1", n)
		}
		if err := s.Release(within(t), l.Subnets); err != nil {
			t.Fatal(err)
		}
		if n := snapshot(t, s).Hosts.Len(); n != 0 {
			t.Errorf("a released lease leaves %d hosts", n)
		}
		if err := describer(t, s).Describe(within(t), l, about("a", 1500)); !errors.Is(err, store.ErrLost) {
			t.Errorf("without a lease: %v, want ErrLost", err)
		}
		other := acquire(t, s, wide, host(2))
		other.Public = host(1).Public
		if err := describer(t, s).Describe(within(t), other, about("a", 1500)); !errors.Is(err, store.ErrLost) {
			t.Errorf("for another host's lease: %v, want ErrLost", err)
		}
	},
}
