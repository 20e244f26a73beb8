// Package storetest holds every implementation of store.Store to one
// behaviour. It knows the interface and flannel's keys, nothing of how a
// store works; what only one implementation can do is tested beside it.
package storetest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

// Fixture is an empty store that several hosts may use.
type Fixture struct {
	// Open returns another client, which the fixture closes.
	Open func(t *testing.T) store.Store
	// Put writes a key below the prefix as some other program might; without an
	// end if ttl is 0.
	Put func(t *testing.T, key, value string, ttl time.Duration)
	// Remove deletes a lease's key as some other program might.
	Remove func(t *testing.T, key string)
}

// patience is how long anything may take before the test gives up.
const patience = 20 * time.Second

// Run runs the suite for a store in which hosts choose their subnets and
// operators write; setup is called for every test in it.
func Run(t *testing.T, setup func(t *testing.T) Fixture) {
	run(t, setup, commonTests, acquireTests, raceTests, followTests, holdTests, identityTests, writeTests, describeTests)
}

// RunAssigned runs the suite for a store of a system that assigns subnets to
// hosts by itself and keeps the config elsewhere: what holds for every store,
// and that the rest is refused. Acquire by a host that the system does not
// know yet makes the fixture let it join.
func RunAssigned(t *testing.T, setup func(t *testing.T) Fixture) {
	run(t, setup, commonTests, assignedTests)
}

func run(t *testing.T, setup func(t *testing.T) Fixture, suites ...map[string]func(*testing.T, Fixture)) {
	for _, tests := range suites {
		for _, name := range sortedKeys(tests) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				tests[name](t, setup(t))
			})
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// The networks of the suite.
const (
	wide = `{"Network":"10.5.0.0/16"}`
	// four subnets, of which flannel's default SubnetMin leaves three
	narrow = `{"Network":"10.5.0.0/22","SubnetLen":24}`
	dual   = `{"Network":"10.5.0.0/16","EnableIPv6":true,"IPv6Network":"fc00:5::/48"}`
	onlyV6 = `{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fc00:5::/48"}`
	// as many IPv6 subnets as the racers need, so that they do meet
	tightV6 = `{"Network":"10.5.0.0/16","EnableIPv6":true,"IPv6Network":"fc00:5::/60","IPv6SubnetLen":64}`
)

func network(t *testing.T, doc string) netconf.Network {
	t.Helper()
	n, err := netconf.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func prefixes(s ...string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(s))
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func previous(s string) []netconf.Previous {
	out, err := netconf.ParsePrevious(s)
	if err != nil {
		panic(err)
	}
	return out
}

// host returns the claim of the n-th host, n from 1 to 254.
func host(n int) lease.Claim {
	return lease.Claim{
		Owner: lease.Owner{ID: fmt.Sprintf("id-%d", n), Hostname: fmt.Sprintf("host-%d", n), Machine: fmt.Sprintf("m-%d", n)},
		Attrs: lease.Attrs{
			Public:  []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(n)})},
			Backend: "vxlan",
			Data:    lease.Data{V4: []byte(fmt.Sprintf(`{"VNI":1,"VtepMAC":"02:00:00:00:00:%02x"}`, n))},
		},
	}
}

func acquire(t *testing.T, s store.Store, doc string, c lease.Claim) lease.Lease {
	t.Helper()
	l, err := s.Acquire(within(t), network(t, doc), c)
	if err != nil {
		t.Fatalf("Acquire for %s: %v", c.Hostname, err)
	}
	return l
}

func snapshot(t *testing.T, s store.Store) store.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(within(t))
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	return snap
}

// stored returns the only lease in the store.
func stored(t *testing.T, s store.Store) lease.Lease {
	t.Helper()
	snap := snapshot(t, s)
	if snap.Leases.Len() != 1 {
		t.Fatalf("the store holds %d leases, want 1: %v", snap.Leases.Len(), snap.Leases.Slice())
	}
	return snap.Leases.Slice()[0]
}

// holds demands that the store has these leases and no more, sorted.
func holds(t *testing.T, s store.Store, want ...lease.Lease) {
	t.Helper()
	slices.SortFunc(want, lease.Lease.Compare)
	if got := snapshot(t, s).Leases.Slice(); !slices.EqualFunc(got, want, sameLease) {
		t.Errorf("the store holds %v, want %v", got, want)
	}
}

// sameLease compares all but the time to live.
func sameLease(a, b lease.Lease) bool {
	va, errA := lease.MarshalAttrs(a.Attrs)
	vb, errB := lease.MarshalAttrs(b.Attrs)
	return errA == nil && errB == nil && string(va) == string(vb) &&
		slices.Equal(a.Subnets, b.Subnets) && a.Reserved == b.Reserved
}
