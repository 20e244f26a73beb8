package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

var followTests = map[string]func(*testing.T, Fixture){
	"follow starts with what is there": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		first := Follow(t, s).Next(t)
		if first.Snapshot == nil || len(first.Snapshot.Leases) != 0 || first.Snapshot.Config != nil || first.Snapshot.ConfigRevision != 0 {
			t.Errorf("of an empty store: %+v", first)
		}
		l := acquire(t, s, wide, host(1))
		setConfig(t, s, wide)
		again := Follow(t, s).Next(t)
		if again.Snapshot == nil || len(again.Snapshot.Leases) != 1 || !sameLease(again.Snapshot.Leases[0], l) || string(again.Snapshot.Config) != wide {
			t.Errorf("of a full store: %+v", again)
		}
	},
	"follow sees each change, in order": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		follower := Follow(t, f.Open(t))
		rev := follower.Next(t).Snapshot.Revision
		expect := func(what string, ok func(store.Snapshot) bool) {
			t.Helper()
			u := follower.Next(t)
			if u.Err != nil || !ok(*u.Snapshot) {
				t.Fatalf("after %s: %v, %+v", what, u.Err, u.Snapshot)
			}
			if u.Snapshot.Revision <= rev {
				t.Errorf("after %s: revision %d, before %d", what, u.Snapshot.Revision, rev)
			}
			rev = u.Snapshot.Revision
		}
		setConfig(t, s, wide)
		expect("SetConfig", func(s store.Snapshot) bool { return string(s.Config) == wide && s.ConfigRevision == s.Revision })
		l := acquire(t, s, wide, host(1))
		expect("Acquire", func(s store.Snapshot) bool { return len(s.Leases) == 1 && sameLease(s.Leases[0], l) })
		c := host(1)
		c.Attrs.Backend = "host-gw"
		acquire(t, s, wide, c)
		expect("a change of attributes", func(s store.Snapshot) bool { return len(s.Leases) == 1 && s.Leases[0].Backend == "host-gw" })
		reserve(t, s, lease.Lease{Subnets: l.Subnets})
		expect("Reserve", func(s store.Snapshot) bool { return len(s.Leases) == 1 && s.Leases[0].Reserved })
		f.Put(t, "subnets/rubbish", "x", 0)
		expect("rubbish", func(s store.Snapshot) bool { return len(s.Leases) == 1 && len(s.Bad) == 1 })
		if err := s.Release(within(t), l.Subnets); err != nil {
			t.Fatal(err)
		}
		expect("Release", func(s store.Snapshot) bool { return len(s.Leases) == 0 && string(s.Config) == wide })
	},
	"snapshots are sorted and do not change afterwards": func(t *testing.T, f Fixture) {
		follower := Follow(t, f.Open(t))
		old := follower.Next(t).Snapshot
		var kept [][]lease.Lease
		for _, third := range []int{200, 9, 100, 10, 9} {
			f.Put(t, fmt.Sprintf("subnets/10.5.%d.0-24", third), fmt.Sprintf(`{"PublicIP":"192.0.2.%d","BackendType":"b%d"}`, third, len(kept)), 0)
			snap := follower.Next(t).Snapshot
			if !slices.IsSortedFunc(snap.Leases, func(a, b lease.Lease) int { return a.Subnets[0].Compare(b.Subnets[0]) }) {
				t.Errorf("not sorted: %v", snap.Leases)
			}
			kept = append(kept, snap.Leases)
		}
		for i, want := range []int{1, 2, 3, 4, 4} {
			if len(kept[i]) != want {
				t.Errorf("snapshot %d has %d leases now, had %d", i, len(kept[i]), want)
			}
		}
		if was := kept[1][0].Backend; was != "b1" || len(old.Leases) != 0 {
			t.Errorf("an old snapshot was changed: %q, %v", was, old.Leases)
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
				if last = *u.Snapshot; len(last.Leases) == 20 {
					cancel()
				}
			})
		}()
		<-entered
		witness := Follow(t, f.Open(t)) // has seen it all before fn returns
		for i := range 20 {
			f.Put(t, fmt.Sprintf("subnets/10.5.%d.0-24", i+1), "{}", 0)
		}
		witness.Until(t, func(s store.Snapshot) bool { return len(s.Leases) == 20 })
		close(leave)
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow returned %v", err)
		}
		if calls > 10 || len(last.Leases) != 20 {
			t.Errorf("%d calls for 20 changes, %d leases at last", calls, len(last.Leases))
		}
	},
	"bad entries are listed": func(t *testing.T, f Fixture) {
		f.Put(t, "subnets/10.5.1.0-24", "{}", 0)
		f.Put(t, "subnets/10.5.2.0-24", "no JSON", 0)
		f.Put(t, "subnets/10.5.3.7-24", "{}", 0)
		f.Put(t, "elsewhere", "not ours", 0)
		snap := snapshot(t, f.Open(t))
		var keys []string
		for _, b := range snap.Bad {
			if b.Err == nil {
				t.Errorf("%s without a reason", b.Key)
			}
			keys = append(keys, b.Key)
		}
		if len(snap.Leases) != 1 || !slices.Equal(keys, []string{"subnets/10.5.2.0-24", "subnets/10.5.3.7-24"}) {
			t.Errorf("leases %v, bad %v", snap.Leases, keys)
		}
		follower := Follow(t, f.Open(t))
		follower.Next(t)
		f.Put(t, "subnets/10.5.2.0-24", "{}", 0) // mended
		follower.Until(t, func(s store.Snapshot) bool { return len(s.Bad) == 1 && len(s.Leases) == 2 })
		f.Put(t, "subnets/10.5.2.0-24", "broken again", 0)
		follower.Until(t, func(s store.Snapshot) bool { return len(s.Bad) == 2 && len(s.Leases) == 1 })
	},
}

// Follower collects what Follow says.
type Follower struct{ updates chan store.Update }

// Follow follows s until the test ends.
func Follow(t *testing.T, s store.Store) *Follower {
	f := &Follower{updates: make(chan store.Update, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Follow(ctx, func(u store.Update) { f.updates <- u }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow returned %v, want the context's error", err)
		}
	})
	return f
}

// Next returns the next update.
func (f *Follower) Next(t *testing.T) store.Update {
	t.Helper()
	select {
	case u := <-f.updates:
		return u
	case <-within(t).Done():
		t.Fatal("no update came")
		return store.Update{}
	}
}

// Until returns the first snapshot that is ok.
func (f *Follower) Until(t *testing.T, ok func(store.Snapshot) bool) store.Snapshot {
	t.Helper()
	for {
		u := f.Next(t)
		if u.Snapshot != nil && ok(*u.Snapshot) {
			return *u.Snapshot
		}
	}
}

// Outage returns the next news of an outage.
func (f *Follower) Outage(t *testing.T) error {
	t.Helper()
	for {
		if u := f.Next(t); u.Err != nil {
			return u.Err
		}
	}
}
