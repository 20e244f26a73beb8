package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

var raceTests = map[string]func(*testing.T, Fixture){
	"forty hosts start at once":     func(t *testing.T, f Fixture) { race(t, f, wide, 40, nil) },
	"forty hosts with two families": func(t *testing.T, f Fixture) { race(t, f, dual, 40, nil) },
	"hosts meet on the last IPv6 subnets": func(t *testing.T, f Fixture) {
		race(t, f, tightV6, int(network(t, tightV6).Ranges[1].Count()), nil)
	},
	"two hosts race for the last subnet": func(t *testing.T, f Fixture) {
		n := int(network(t, narrow).Ranges[0].Count())
		race(t, f, narrow, n+1, func(t *testing.T, errs []error) {
			if len(errs) != 1 || !errors.Is(errs[0], store.ErrExhausted) {
				t.Errorf("errors %v, want one ErrExhausted", errs)
			}
		})
	},
	"two hosts race with one address": func(t *testing.T, f Fixture) {
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			s := f.Open(t)
			wg.Go(func() {
				c := host(i + 1)
				c.Public = host(99).Public
				_, errs[i] = s.Acquire(within(t), network(t, wide), c)
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if _, taken := errors.AsType[*store.AddressTakenError](err); !taken && err != nil {
				t.Errorf("error %v, want an AddressTakenError", err)
			}
			if err == nil {
				won++
			}
		}
		if won != 1 || len(snapshot(t, f.Open(t)).Leases.Slice()) != 1 {
			t.Errorf("%d hosts have one address: %v", won, snapshot(t, f.Open(t)).Leases.Slice())
		}
	},
}

// race lets n hosts acquire at once. All that succeed must differ in every
// family; judge gets the errors, which a nil judge forbids.
func race(t *testing.T, f Fixture, doc string, n int, judge func(*testing.T, []error)) {
	var mu sync.Mutex
	var got []lease.Lease
	var errs []error
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		s := f.Open(t)
		wg.Go(func() {
			<-start
			l, err := s.Acquire(within(t), network(t, doc), host(i+1))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			} else {
				got = append(got, l)
			}
		})
	}
	close(start)
	wg.Wait()
	if judge != nil {
		judge(t, errs)
	} else if len(errs) > 0 {
		t.Fatalf("%d of %d failed: %v", len(errs), n, errs)
	}
	for i, a := range got {
		for _, b := range got[:i] {
			for _, p := range a.Subnets {
				if slices.ContainsFunc(b.Subnets, p.Overlaps) {
					t.Errorf("%v and %v overlap", a.Subnets, b.Subnets)
				}
			}
		}
	}
	if snap := snapshot(t, f.Open(t)); snap.Leases.Len() != len(got) {
		t.Errorf("%d leases stored, %d acquired", snap.Leases.Len(), len(got))
	}
}
