package netstate

import (
	"net/netip"

	"github.com/weft-net/weft/internal/owned"
)

// Scope says which objects of a host an agent answers for.
type Scope = owned.Scope

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
	s.Pods = want.Fast.Paths.Len() > 0
	return s
}
