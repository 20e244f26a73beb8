package kernel

import (
	"net/netip"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// A gateway that is marked onlink is still refused for IPv6 when another
// route leads to it through another device (ip6_route_check_nh_onlink in
// net/ipv6/route.c). That is so when a peer changes from a direct path to a
// tunnel: the old route to its subnet holds the gateway, an address of that
// subnet. Taking the old route away first would lose packets. So a helper
// route stands for as long as it takes: to the gateway alone, through the
// right device.

// putHelperRoutes puts the helper routes that tasks need and returns their
// destinations.
func (a *applier) putHelperRoutes(ops []netstate.Op, tasks []routeTask) []netip.Prefix {
	var b rtnl.Batch
	var up []netip.Prefix
	for _, t := range tasks {
		r := ops[t.op].Row.(netstate.Route)
		if !r.OnLink || !r.Via.Is6() || t.dev == 0 {
			continue
		}
		host := netip.PrefixFrom(r.Via, r.Via.BitLen())
		if host == r.Dst {
			continue
		}
		encodeRoute(&b, codec.Create, netstate.Route{Dst: host, Dev: r.Dev}, t.dev, 0)
		up = append(up, host)
	}
	faults := a.conn.Exec(&b)
	for i := len(faults) - 1; i >= 0; i-- { // what somebody else put there stays
		m := faults[i].Message
		up = append(up[:m], up[m+1:]...)
	}
	return up
}

func (a *applier) removeHelperRoutes(up []netip.Prefix) {
	var b rtnl.Batch
	for _, host := range up {
		encodeNoRoute(&b, host, owned.RouteProtocol, 0)
	}
	for _, f := range a.conn.Exec(&b) {
		a.log.Warn("a helper route stays until the next look", "route", up[f.Message], "error", f.Err)
	}
}
