package view

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/lease"
)

// Leases are leases in the order of their subnets, each subnets once. What
// All returned is never changed by later calls, so that snapshots can share
// it. The zero value is empty; not safe for concurrent use.
type Leases struct {
	sorted []lease.Lease // replaced and never changed once shared is set
	shared bool
}

// NewLeases takes over all, whose subnets differ, and sorts it.
func NewLeases(all []lease.Lease) Leases {
	slices.SortFunc(all, func(a, b lease.Lease) int { return Compare(a.Subnets, b.Subnets) })
	return Leases{sorted: all}
}

// All returns the leases; nobody may change them.
func (v *Leases) All() []lease.Lease {
	v.shared = true
	return v.sorted[:len(v.sorted):len(v.sorted)]
}

// Put takes in l, in place of one of the same subnets.
func (v *Leases) Put(l lease.Lease) {
	v.unshare()
	i, found := v.find(l.Subnets)
	if found {
		v.sorted[i] = l
		return
	}
	v.sorted = slices.Insert(v.sorted, i, l)
}

// Remove takes out the lease of subnets, if there is one.
func (v *Leases) Remove(subnets []netip.Prefix) {
	if i, found := v.find(subnets); found {
		v.unshare()
		v.sorted = slices.Delete(v.sorted, i, i+1)
	}
}

func (v *Leases) find(subnets []netip.Prefix) (int, bool) {
	return slices.BinarySearchFunc(v.sorted, subnets, func(l lease.Lease, s []netip.Prefix) int {
		return Compare(l.Subnets, s)
	})
}

// unshare makes v.sorted v's alone again.
func (v *Leases) unshare() {
	if v.shared {
		v.sorted, v.shared = slices.Clone(v.sorted), false
	}
}

// Compare orders the subnets of leases: by the first family's prefix, then by
// the second's.
func Compare(a, b []netip.Prefix) int {
	return slices.CompareFunc(a, b, netip.Prefix.Compare)
}
