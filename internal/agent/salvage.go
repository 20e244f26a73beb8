package agent

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

// salvage returns fresh as it is to be gone by. A store that has lost its
// config has lost its data: a new cluster, an emptied disk. Nobody left the
// network by that, so the last config stays in force, and so does every lease
// of last until its host has registered again or somebody else has its subnet.
// As soon as there is a config again, the store is believed.
func salvage(last, fresh store.Snapshot) store.Snapshot {
	if fresh.Config != nil || last.Config == nil {
		return fresh
	}
	merged := fresh
	merged.Config = last.Config
	all := fresh.Leases.Slice()
	for old := range last.Leases.All() {
		if !slices.ContainsFunc(fresh.Leases.Slice(), func(l lease.Lease) bool { return rivals(l, old) }) {
			all = append(all, old)
		}
	}
	merged.Leases = lease.SetOf(all...)
	return merged
}

// rivals reports whether a and b are of one host or claim the same addresses.
func rivals(a, b lease.Lease) bool {
	return slices.ContainsFunc(a.Subnets, func(p netip.Prefix) bool { return slices.ContainsFunc(b.Subnets, p.Overlaps) }) ||
		slices.ContainsFunc(a.Public, func(p netip.Addr) bool { return slices.Contains(b.Public, p) })
}
