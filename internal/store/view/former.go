package view

import (
	"slices"

	"github.com/weft-net/weft/internal/netconf"
)

// putFormer takes in the record of a lease that drains. One that cannot be
// read says nothing; leases that only it would explain are then strangers.
func (v *View) putFormer(it Item) bool {
	pasts, err := netconf.ParsePrevious(string(it.Value))
	if err != nil || slices.Equal(v.former[it.Key], pasts) {
		return false
	}
	v.former[it.Key] = pasts
	return true
}

// pasts returns all former networks that are recorded.
func (v *View) pasts() []netconf.Previous {
	var all []netconf.Previous
	for _, some := range v.former {
		all = append(all, some...)
	}
	return netconf.SortPrevious(all)
}
