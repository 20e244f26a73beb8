package view

import (
	"slices"

	"github.com/weft-net/weft/internal/netconf"
)

// putFormer takes in the record of a lease that drains. One that cannot be
// read says nothing; leases that only it would explain are then strangers.
func (v *View) putFormer(it Item) bool {
	previous, err := netconf.ParsePrevious(string(it.Value))
	had, known := v.former[it.Key]
	if err != nil {
		delete(v.former, it.Key)
		return known
	}
	if slices.Equal(had, previous) {
		return false
	}
	v.former[it.Key] = previous
	return true
}

// previous returns all former networks that are recorded.
func (v *View) previous() []netconf.Previous {
	var all []netconf.Previous
	for _, some := range v.former {
		all = append(all, some...)
	}
	return netconf.SortPrevious(all)
}
