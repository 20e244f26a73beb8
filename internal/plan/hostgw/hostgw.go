// Package hostgw says which network objects send packets to a host on the
// same segment without a tunnel: a route through its address. It is pure.
package hostgw

import (
	"net/netip"

	"github.com/weft-net/weft/internal/netstate"
)

// Route returns what the host needs to reach subnet directly: the route
// through gateway, an address in a directly connected subnet of dev. onlink
// says so where the kernel does not find it by itself.
func Route(subnet netip.Prefix, gateway netip.Addr, dev string, onlink bool) netstate.Route {
	return netstate.Route{Dst: subnet, Via: gateway, Dev: dev, OnLink: onlink}
}
