package view

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/lease"
)

// putFormer takes in the record of a lease that drains. One that cannot be
// read says nothing; leases that only it would explain are then strangers.
func (v *View) putFormer(it Item) bool {
	networks, err := lease.ParseNetworks(string(it.Value))
	if err != nil || slices.Equal(v.former[it.Key], networks) {
		return false
	}
	v.former[it.Key] = networks
	return true
}

// formerNetworks returns all networks that are recorded, sorted, each once.
func (v *View) formerNetworks() []netip.Prefix {
	var all []netip.Prefix
	for _, networks := range v.former {
		all = append(all, networks...)
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return slices.Compact(all)
}
