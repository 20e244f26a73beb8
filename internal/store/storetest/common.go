package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

// value is what host(n) stores on the backend b.
func value(n int, b string) string {
	return fmt.Sprintf(`{"PublicIP":"192.0.2.%d","PublicIPv6":null,"BackendType":%q}`, n, b)
}

// Public keys, as hosts say them.
const (
	key1 = "MQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	key2 = "MgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
)

func subnetKey(third int) string { return fmt.Sprintf("subnets/10.5.%d.0-24", third) }

// commonTests hold for every store, also where something else assigns the
// subnets and writes the config.
var commonTests = map[string]func(*testing.T, Fixture){
	"acquire is seen by all": func(t *testing.T, f Fixture) {
		l := acquire(t, f.Open(t), wide, host(1))
		if len(l.Subnets) != 1 || !network(t, wide).Ranges[0].Network.Contains(l.Subnets[0].Addr()) {
			t.Errorf("%v is not a subnet of the network", l.Subnets)
		}
		if got := stored(t, f.Open(t)); !sameLease(got, l) {
			t.Errorf("stored %v, acquired %v", got, l)
		}
	},
	"a snapshot tells the key of each host": func(t *testing.T, f Fixture) {
		follower := Follow(t, f.Open(t))
		claim := host(1)
		other := acquire(t, f.Open(t), wide, host(2))
		for _, key := range []string{key1, key2} {
			claim.Host = lease.Host{Name: claim.Hostname, WireGuard: key}
			s := f.Open(t)
			l := acquire(t, s, wide, claim)
			if d, ok := s.(store.Describer); ok {
				if err := d.Describe(within(t), l, claim.Host); err != nil {
					t.Fatal(err)
				}
			}
			shows := func(snap store.Snapshot) bool {
				got, found := snap.Hosts.Find(lease.HostOf(l.Subnets))
				without, _ := snap.Hosts.Find(lease.HostOf(other.Subnets))
				return found && got.WireGuard == key && without.WireGuard == ""
			}
			follower.Until(t, shows)
			if snap := snapshot(t, f.Open(t)); !shows(snap) {
				t.Errorf("read %v, want key %s", snap.Hosts.Slice(), key)
			}
		}
	},
	"acquire again gives the same": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		first := acquire(t, s, wide, host(1))
		before := snapshot(t, s)
		if again := acquire(t, f.Open(t), wide, host(1)); !sameLease(again, first) {
			t.Errorf("got %v, had %v", again, first)
		}
		if after := snapshot(t, s); after.Leases.Len() != 1 || !sameLease(after.Leases.Slice()[0], before.Leases.Slice()[0]) {
			t.Errorf("stored %v, before %v", after.Leases.Slice(), before.Leases.Slice())
		}
	},
	"acquire again with other attributes keeps the subnet": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		first := acquire(t, s, wide, host(1))
		c := host(1)
		c.Attrs.Backend, c.Attrs.Data = "host-gw", lease.Data{}
		again := acquire(t, s, wide, c)
		if !slices.Equal(again.Subnets, first.Subnets) || again.Backend != "host-gw" || !sameLease(stored(t, s), again) {
			t.Errorf("got %v, had %v, stored %v", again, first, stored(t, s))
		}
	},
	"two families": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		c := host(1)
		c.Public = append(c.Public, netip.MustParseAddr("2001:db8::1"))
		l := acquire(t, s, dual, c)
		if len(l.Subnets) != 2 || !l.Subnets[0].Addr().Is4() || !l.Subnets[1].Addr().Is6() {
			t.Errorf("got %v", l.Subnets)
		}
		if again := acquire(t, s, dual, c); !sameLease(again, l) || !sameLease(stored(t, s), l) {
			t.Errorf("got %v, had %v, stored %v", again, l, stored(t, s))
		}
	},
	"IPv6 alone": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		seen := map[string]bool{}
		for i, addr := range []string{"2001:db8::1", "2001:db8::2"} {
			c := host(i + 1)
			c.Attrs = lease.Attrs{Public: []netip.Addr{netip.MustParseAddr(addr)}, Backend: "vxlan"}
			l := acquire(t, s, onlyV6, c)
			if len(l.Subnets) != 1 || !l.Subnets[0].Addr().Is6() || seen[lease.Key(l.Subnets)] {
				t.Errorf("got %v, seen %v", l.Subnets, seen)
			}
			seen[lease.Key(l.Subnets)] = true
		}
	},
	"follow starts with what is there": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		first := Follow(t, s).Next(t)
		if first.Snapshot == nil || first.Snapshot.Leases.Len() != 0 || first.Snapshot.Config != nil || first.Snapshot.ConfigRevision != 0 {
			t.Errorf("of an empty store: %+v", first)
		}
		l := acquire(t, s, wide, host(1))
		f.Put(t, "config", wide, 0)
		again := Follow(t, s).Next(t)
		if again.Snapshot == nil || again.Snapshot.Leases.Len() != 1 || !sameLease(again.Snapshot.Leases.Slice()[0], l) || string(again.Snapshot.Config) != wide {
			t.Errorf("of a full store: %+v", again)
		}
	},
	"follow tells of others' changes": func(t *testing.T, f Fixture) {
		follower := Follow(t, f.Open(t))
		follower.Next(t)
		f.Put(t, "config", wide, 0)
		first := follower.Until(t, func(s store.Snapshot) bool { return string(s.Config) == wide })
		f.Put(t, "config", dual, 0)
		second := follower.Until(t, func(s store.Snapshot) bool { return string(s.Config) == dual })
		if first.ConfigRevision == second.ConfigRevision {
			t.Errorf("two configs have the revision %d", first.ConfigRevision)
		}
		l := acquire(t, f.Open(t), wide, host(1))
		before := follower.Until(t, func(s store.Snapshot) bool { return s.Leases.Len() == 1 && sameLease(s.Leases.Slice()[0], l) })
		c := host(1)
		c.Attrs.Backend = "host-gw"
		acquire(t, f.Open(t), wide, c)
		after := follower.Until(t, func(s store.Snapshot) bool { return s.Leases.Len() == 1 && s.Leases.Slice()[0].Backend == "host-gw" })
		if after.Revision <= before.Revision {
			t.Errorf("revision %d, before %d", after.Revision, before.Revision)
		}
		f.Remove(t, "subnets/"+lease.Key(l.Subnets))
		follower.Until(t, func(s store.Snapshot) bool { return s.Leases.Len() == 0 && string(s.Config) == dual })
	},
	"snapshots are sorted and do not change afterwards": func(t *testing.T, f Fixture) {
		follower := Follow(t, f.Open(t))
		old := follower.Next(t).Snapshot
		var kept [][]lease.Lease
		for i, third := range []int{200, 9, 100, 10, 9} {
			backend := fmt.Sprintf("b%d", i)
			f.Put(t, subnetKey(third), value(third, backend), 0)
			snap := follower.Until(t, func(s store.Snapshot) bool {
				return slices.ContainsFunc(s.Leases.Slice(), func(l lease.Lease) bool { return l.Backend == backend })
			})
			if !slices.IsSortedFunc(snap.Leases.Slice(), func(a, b lease.Lease) int { return a.Subnets[0].Compare(b.Subnets[0]) }) {
				t.Errorf("not sorted: %v", snap.Leases.Slice())
			}
			kept = append(kept, snap.Leases.Slice())
		}
		for i, want := range []int{1, 2, 3, 4, 4} {
			if len(kept[i]) != want {
				t.Errorf("snapshot %d has %d leases now, had %d", i, len(kept[i]), want)
			}
		}
		if was := kept[1][0].Backend; was != "b1" || old.Leases.Len() != 0 {
			t.Errorf("an old snapshot was changed: %q, %v", was, old.Leases.Slice())
		}
	},
	"changes pile up into one snapshot": func(t *testing.T, f Fixture) {
		ctx, cancel := context.WithCancel(within(t))
		entered, leave := make(chan struct{}), make(chan struct{})
		var last store.Snapshot
		calls, done := 0, make(chan error, 1)
		s := f.Open(t)
		go func() {
			done <- s.Follow(ctx, func(u store.Update) {
				if calls++; calls == 1 {
					close(entered)
					<-leave
					return
				}
				if last = *u.Snapshot; last.Leases.Len() == 20 {
					cancel()
				}
			})
		}()
		<-entered
		witness := Follow(t, f.Open(t)) // has seen it all before fn returns
		for i := range 20 {
			f.Put(t, subnetKey(i+1), value(i+1, "vxlan"), 0)
		}
		witness.Until(t, func(s store.Snapshot) bool { return s.Leases.Len() == 20 })
		close(leave)
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow returned %v", err)
		}
		if calls > 10 || last.Leases.Len() != 20 {
			t.Errorf("%d calls for 20 changes, %d leases at last", calls, last.Leases.Len())
		}
	},
	"a broken entry is bad until it is corrected": func(t *testing.T, f Fixture) {
		f.Put(t, "config", wide, 0)
		f.Put(t, subnetKey(1), value(1, "vxlan"), 0)
		f.Put(t, subnetKey(2), "no JSON", 0)
		snap := snapshot(t, f.Open(t))
		if snap.Leases.Len() != 1 || len(snap.Bad) != 1 || snap.Bad[0].Err == nil {
			t.Errorf("leases %v, bad %v", snap.Leases.Slice(), snap.Bad)
		}
		follower := Follow(t, f.Open(t))
		follower.Next(t)
		f.Put(t, subnetKey(2), value(2, "vxlan"), 0)
		follower.Until(t, func(s store.Snapshot) bool { return len(s.Bad) == 0 && s.Leases.Len() == 2 })
		f.Put(t, subnetKey(2), "broken again", 0)
		follower.Until(t, func(s store.Snapshot) bool { return len(s.Bad) == 1 && s.Leases.Len() == 1 })
		f.Remove(t, subnetKey(2))
		follower.Until(t, func(s store.Snapshot) bool { return len(s.Bad) == 0 && s.Leases.Len() == 1 })
	},
	"hold ends with its context and leaves the lease": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, host(1))
		h := Hold(t, s, l, host(1).Owner)
		h.cancel()
		if err := h.Err(t); !errors.Is(err, context.Canceled) {
			t.Errorf("Hold returned %v", err)
		}
		if got := stored(t, s); !sameLease(got, l) {
			t.Errorf("stored %v, had %v", got, l)
		}
	},
	"hold ends when the lease is deleted": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, host(1))
		h := Hold(t, s, l, host(1).Owner)
		f.Remove(t, "subnets/"+lease.Key(l.Subnets))
		lost(t, h, "deleted")
	},
	"hold ends when the lease is not there": func(t *testing.T, f Fixture) {
		l := lease.Lease{Subnets: prefixes("10.5.1.0/24"), Attrs: host(1).Attrs}
		lost(t, Hold(t, f.Open(t), l, host(1).Owner), "deleted")
	},
	"what another program writes over a lease is replaced": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		follower, l := Follow(t, s), Keep(t, s, wide, host(1))
		announced := func(s store.Snapshot) bool { return holdsOnly(s, l) }
		rev := follower.Until(t, announced).Revision
		for _, doc := range []string{value(1, "host-gw"), value(66, "vxlan"), "no JSON"} {
			f.Put(t, "subnets/"+lease.Key(l.Subnets), doc, day)
			rev = follower.Until(t, func(s store.Snapshot) bool { return s.Revision > rev && announced(s) }).Revision
		}
	},
	"reading calls end with their context": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, snap := s.Snapshot(ctx)
		_, acq := s.Acquire(ctx, network(t, wide), host(1))
		for name, err := range map[string]error{
			"Snapshot": snap, "Acquire": acq,
			"Follow": s.Follow(ctx, func(store.Update) {}),
			"Hold":   s.Hold(ctx, lease.Lease{Subnets: prefixes("10.5.9.0/24")}, host(1).Owner, time.Hour),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want the context's error", name, err)
			}
		}
	},
}

// assignedTests are for stores that something else writes.
var assignedTests = map[string]func(*testing.T, Fixture){
	"hold ends when another host's address stands in the lease": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, host(1))
		h := Hold(t, s, l, host(1).Owner)
		f.Put(t, "subnets/"+lease.Key(l.Subnets), value(66, "vxlan"), day)
		lost(t, h, "192.0.2.66")
	},
	"what another system assigns is not written": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, host(1))
		for name, err := range map[string]error{
			"SetConfig": s.SetConfig(within(t), []byte(wide), store.AnyRevision),
			"Reserve":   s.Reserve(within(t), l),
			"Release":   s.Release(within(t), l.Subnets),
		} {
			hint, advised := errors.AsType[interface {
				error
				Hint() string
			}](err)
			if !errors.Is(err, errors.ErrUnsupported) || !advised || hint.Hint() == "" {
				t.Errorf("%s: %v, want errors.ErrUnsupported and what to do instead", name, err)
			}
		}
		if got := stored(t, s); !sameLease(got, l) {
			t.Errorf("stored %v, had %v", got, l)
		}
	},
}
