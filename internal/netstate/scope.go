package netstate

import (
	"net/netip"
	"slices"
)

// Scope says which rows of a host an agent answers for, so that two agents
// for two networks leave each other's alone. It needs no memory of single
// rows: a route or nexthop is ours if it carries RouteProtocol and leads into
// one of Networks; a vxlan device with one of flannel's names is ours if it is
// listed or has an address in one of Networks; neighbours, FDB entries and
// global addresses are ours if they stand on such a device. An nftables table is
// ours if it is listed, or has one of weft's names and a rule about one of
// Networks; a rule in somebody else's chain is ours if its comment is the name
// of such a table.
type Scope struct {
	Networks []netip.Prefix // overlay CIDRs served now or before
	Links    []string       // names of devices wanted now or before
	Sysctls  []string       // names of the parameters to read
	Tables   []string       // names of nftables tables wanted now or before
}

// Holds reports whether p lies within one of the scope's networks.
func (s Scope) Holds(p netip.Prefix) bool {
	return slices.ContainsFunc(s.Networks, func(n netip.Prefix) bool {
		return n.Bits() <= p.Bits() && n.Contains(p.Addr())
	})
}

// ScopeOf returns the scope of the rows of want, which serve networks.
func ScopeOf(networks []netip.Prefix, want *State) Scope {
	s := Scope{Networks: networks}
	for l := range want.Links.All() {
		s.Links = append(s.Links, l.Name)
	}
	for c := range want.Sysctls.All() {
		s.Sysctls = append(s.Sysctls, c.Name)
	}
	for t := range want.Firewall.Tables.All() {
		s.Tables = append(s.Tables, t.Name)
	}
	return s
}

// Equal reports whether both scopes ask for the same rows, written in the
// same order.
func (s Scope) Equal(o Scope) bool {
	return slices.Equal(s.Networks, o.Networks) && slices.Equal(s.Links, o.Links) && slices.Equal(s.Sysctls, o.Sysctls) &&
		slices.Equal(s.Tables, o.Tables)
}
