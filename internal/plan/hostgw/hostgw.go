// Package hostgw says which network objects send packets to a host on the
// same segment without a tunnel: a route through its address. It is pure.
package hostgw

import (
	"net/netip"

	"github.com/weft-net/weft/internal/netstate"
)

// Send adds to s what the host needs to reach subnet directly: the route
// through gateway, an address on a prefix connected to dev.
func Send(s *netstate.Builder, subnet netip.Prefix, gateway netip.Addr, dev string) {
	s.Routes = append(s.Routes, netstate.Route{Dst: subnet, Via: gateway, Dev: dev})
}
