package intent

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netstate"
)

// Ownership is what this host's agent has served since the host was last swept
// of all else: what is left of it is known as its own.
type Ownership struct {
	Networks []netip.Prefix `json:"networks"`
	Links    []string       `json:"links"`
	Tables   []string       `json:"tables,omitempty"` // of the firewall
}

// With adds networks and the devices and tables of a state.
func (o Ownership) With(networks []netip.Prefix, s *netstate.State) Ownership {
	for _, n := range networks {
		o.Networks = including(o.Networks, n)
	}
	for l := range s.Links.All() {
		o.Links = including(o.Links, l.Name)
	}
	for table := range s.Firewall.Tables.All() {
		o.Tables = including(o.Tables, table.Name)
	}
	for path := range s.Fast.Paths.All() {
		o.Tables = including(o.Tables, path.Name)
	}
	return o
}

// including returns all with v, without changing what all shares.
func including[T comparable](all []T, v T) []T {
	if slices.Contains(all, v) {
		return all
	}
	return append(slices.Clip(all), v)
}

func (o Ownership) equal(p Ownership) bool {
	return slices.Equal(o.Networks, p.Networks) && slices.Equal(o.Links, p.Links) && slices.Equal(o.Tables, p.Tables)
}

// Scope is what the agent answers for with desired in force.
func (o Ownership) Scope(desired *netstate.State) netstate.Scope {
	return netstate.Scope{
		Networks: o.Networks, Links: o.Links, Tables: o.Tables,
		Sysctls: netstate.ScopeOf(nil, desired).Sysctls, Pods: desired.Fast.Paths.Len() > 0,
	}
}
