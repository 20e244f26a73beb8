package agent

import (
	"net/netip"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
)

// pathOf says how packets to subnet of l travel; "none" when they do not.
func pathOf(in plan.Input, want *netstate.State, l lease.Lease, subnet netip.Prefix) api.Path {
	p, err := plan.PathTo(in, l, netconf.FamilyOf(subnet.Addr()))
	_, routed := want.Routes.Find(netstate.Route{Dst: subnet})
	if err != nil || !routed {
		return api.Path{Subnet: subnet, Kind: "none"}
	}
	return api.Path{Subnet: subnet, Kind: string(p.Kind), Via: p.Via, Dev: p.Dev}
}
