package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

var followTests = map[string]func(*testing.T, Fixture){
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
		expect("Acquire", func(s store.Snapshot) bool { return s.Leases.Len() == 1 && sameLease(s.Leases.Slice()[0], l) })
		c := host(1)
		c.Attrs.Backend = "host-gw"
		acquire(t, s, wide, c)
		expect("a change of attributes", func(s store.Snapshot) bool { return s.Leases.Len() == 1 && s.Leases.Slice()[0].Backend == "host-gw" })
		reserve(t, s, lease.Lease{Subnets: l.Subnets})
		expect("Reserve", func(s store.Snapshot) bool { return s.Leases.Len() == 1 && s.Leases.Slice()[0].Reserved })
		f.Put(t, "subnets/rubbish", "x", 0)
		expect("rubbish", func(s store.Snapshot) bool { return s.Leases.Len() == 1 && len(s.Bad) == 1 })
		if err := s.Release(within(t), l.Subnets); err != nil {
			t.Fatal(err)
		}
		expect("Release", func(s store.Snapshot) bool { return s.Leases.Len() == 0 && string(s.Config) == wide })
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
		if snap.Leases.Len() != 1 || !slices.Equal(keys, []string{"subnets/10.5.2.0-24", "subnets/10.5.3.7-24"}) {
			t.Errorf("leases %v, bad %v", snap.Leases.Slice(), keys)
		}
		follower := Follow(t, f.Open(t))
		follower.Next(t)
		f.Put(t, "subnets/10.5.2.0-24", "{}", 0) // mended
		follower.Until(t, func(s store.Snapshot) bool { return len(s.Bad) == 1 && s.Leases.Len() == 2 })
		f.Put(t, "subnets/10.5.2.0-24", "broken again", 0)
		follower.Until(t, func(s store.Snapshot) bool { return len(s.Bad) == 2 && s.Leases.Len() == 1 })
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
