package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

func setConfig(t *testing.T, s store.Store, doc string) {
	t.Helper()
	if err := s.SetConfig(within(t), []byte(doc), store.AnyRevision); err != nil {
		t.Fatalf("SetConfig: %v", err)
	}
}

func reserve(t *testing.T, s store.Store, l lease.Lease) {
	t.Helper()
	if err := s.Reserve(within(t), l); err != nil {
		t.Fatalf("Reserve: %v", err)
	}
}

var writeTests = map[string]func(*testing.T, Fixture){
	"the config changes by compare and swap": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		if err := s.SetConfig(within(t), []byte(wide), 0); err != nil {
			t.Fatal(err)
		}
		first := snapshot(t, s)
		if string(first.Config) != wide || first.ConfigRevision == 0 {
			t.Errorf("stored %+v", first)
		}
		if err := s.SetConfig(within(t), []byte(dual), 0); !errors.Is(err, store.ErrConflict) {
			t.Errorf("over an existing config: %v, want ErrConflict", err)
		}
		if err := s.SetConfig(within(t), []byte(dual), first.ConfigRevision); err != nil {
			t.Errorf("over the revision that was read: %v", err)
		}
		if err := s.SetConfig(within(t), []byte(narrow), first.ConfigRevision); !errors.Is(err, store.ErrConflict) {
			t.Errorf("over an older revision: %v, want ErrConflict", err)
		}
		if got := snapshot(t, s); string(got.Config) != dual || got.ConfigRevision <= first.ConfigRevision {
			t.Errorf("stored %+v", got)
		}
		setConfig(t, s, narrow)
		if got := snapshot(t, s); string(got.Config) != narrow {
			t.Errorf("stored %+v", got)
		}
	},
	"reserve a free subnet": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := lease.Lease{Subnets: prefixes("10.5.9.0/24"), Attrs: lease.Attrs{Public: host(3).Public}}
		reserve(t, s, l)
		if got := stored(t, s); !got.Reserved || !slices.Equal(got.Public, l.Public) || !slices.Equal(got.Subnets, l.Subnets) {
			t.Errorf("stored %v", got)
		}
		if got := acquire(t, s, wide, host(3)); !slices.Equal(got.Subnets, l.Subnets) || !got.Reserved {
			t.Errorf("its host got %v", got)
		}
	},
	"reserve a lease": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, host(1))
		reserve(t, s, lease.Lease{Subnets: l.Subnets})
		want := l
		want.Reserved = true
		if got := stored(t, s); !sameLease(got, want) {
			t.Errorf("stored %v, want %v", got, want)
		}
		if got := acquire(t, s, wide, host(1)); !sameLease(got, want) {
			t.Errorf("acquired again %v, want %v", got, want)
		}
		c := host(2)
		c.Public = host(1).Public
		if _, err := s.Acquire(within(t), network(t, wide), c); err == nil {
			t.Error("the reservation lost its owner: another host could take its address")
		}
	},
	"reserve refuses what is no lease": func(t *testing.T, f Fixture) {
		for _, l := range []lease.Lease{
			{},
			{Subnets: prefixes("10.5.9.1/24")},
			{Subnets: prefixes("10.5.9.0/24"), Attrs: lease.Attrs{Backend: "two words"}},
		} {
			if err := f.Open(t).Reserve(within(t), l); err == nil {
				t.Errorf("Reserve(%v) succeeded", l)
			}
		}
	},
	"release": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		if err := s.Release(within(t), prefixes("10.5.9.0/24")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("of nothing: %v, want ErrNotFound", err)
		}
		l := acquire(t, s, wide, host(1))
		if err := s.Release(within(t), l.Subnets); err != nil {
			t.Fatal(err)
		}
		if got := snapshot(t, s); got.Leases.Len() != 0 {
			t.Errorf("left: %v", got.Leases.Slice())
		}
		c := host(2) // neither subnet nor address is taken any more
		c.Public, c.Preferred = host(1).Public, l.Subnets
		if got := acquire(t, s, wide, c); !slices.Equal(got.Subnets, l.Subnets) {
			t.Errorf("the next host got %v, wanted %v", got.Subnets, l.Subnets)
		}
	},
	"release what cannot be read": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		f.Put(t, "subnets/10.5.9.0-24", "rubbish", 0)
		if err := s.Release(within(t), prefixes("10.5.9.0/24")); err != nil {
			t.Error(err)
		}
		if got := snapshot(t, s); len(got.Bad) != 0 {
			t.Errorf("left: %v", got.Bad)
		}
	},
	"calls end with their context": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, snap := s.Snapshot(ctx)
		_, acq := s.Acquire(ctx, network(t, wide), host(1))
		for name, err := range map[string]error{
			"Snapshot": snap, "Acquire": acq,
			"SetConfig": s.SetConfig(ctx, []byte(wide), 0),
			"Reserve":   s.Reserve(ctx, lease.Lease{Subnets: prefixes("10.5.9.0/24")}),
			"Release":   s.Release(ctx, prefixes("10.5.9.0/24")),
			"Follow":    s.Follow(ctx, func(store.Update) {}),
			"Hold":      s.Hold(ctx, lease.Lease{Subnets: prefixes("10.5.9.0/24")}, lease.Owner{}, 0),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want the context's error", name, err)
			}
		}
	},
}
