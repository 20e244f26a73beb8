package kernel

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/owned"
)

// hostRoute is a route with the ways that it leads.
type hostRoute struct {
	codec.Route
	hops []codec.Hop
}

// newHostRoute keeps the hops of r, which r itself holds until the next message.
func newHostRoute(r codec.Route) hostRoute {
	hops := r.Hops()
	r.Multipath = nil
	return hostRoute{r, hops}
}

// isDirect reports whether r leads somewhere without a gateway.
func (r hostRoute) isDirect() bool {
	return r.Kind == unix.RTN_UNICAST &&
		slices.ContainsFunc(r.hops, func(h codec.Hop) bool { return !h.Via.IsValid() })
}

// isHostRoute reports whether r may say how other hosts are reached: it leads
// neither to containers nor to link-local addresses. In which table it is does not
// matter here.
func isHostRoute(r codec.Route) bool {
	return r.TOS == 0 && r.Flags&unix.RTM_F_CLONED == 0 &&
		r.Protocol != owned.RouteProtocol && r.Protocol != owned.PodProtocol && slices.Contains(hostKinds, r.Kind) &&
		!r.Dst.Addr().IsLinkLocalUnicast() && !r.Dst.Addr().IsMulticast()
}

// hostKinds are the kinds of routes that decide how hosts are reached.
var hostKinds = []uint8{unix.RTN_UNICAST, unix.RTN_THROW, unix.RTN_BLACKHOLE, unix.RTN_UNREACHABLE, unix.RTN_PROHIBIT}

// hostRoutes are routes by which other hosts may be reached.
type hostRoutes []hostRoute

func (h *hostRoutes) add(r codec.Route) {
	if isHostRoute(r) {
		*h = append(*h, newHostRoute(r))
	}
}

// links returns the destinations, default routes aside, to which a route leads
// without a gateway.
func (h hostRoutes) links() (out []netip.Prefix) {
	for _, r := range h {
		if r.Dst.Bits() > 0 && r.isDirect() {
			out = append(out, r.Dst)
		}
	}
	return out
}

// leading returns the devices that default routes lead through, by family.
func (h hostRoutes) leading() map[netconf.Family][]int32 {
	out := map[netconf.Family][]int32{}
	for _, r := range h {
		if r.Dst.Bits() > 0 {
			continue
		}
		f := netconf.FamilyOf(r.Dst.Addr())
		for _, hop := range r.hops {
			if !slices.Contains(out[f], hop.Dev) {
				out[f] = append(out[f], hop.Dev)
			}
		}
	}
	return out
}

// near is what Watch has to know of routes to other hosts. It is replaced, never
// changed.
type near struct {
	links    []netip.Prefix // on-link through any device
	leading  map[netconf.Family][]int32
	overlay  []netip.Prefix  // the networks of containers
	tables   map[uint32]bool // that are looked up
	far      []netip.Prefix  // destinations of far routes; a more specific route is one as well
	partial  bool            // there are more than maxFar far routes
	nexthops hostNexthops    // nil: no route went through one
	used     map[uint32]bool // nexthop objects that routes go through, directly or by a group
}

// looksUp reports whether packets may be routed by a table. Until the first look
// only the main table is known to be.
func (n *near) looksUp(table uint32) bool { return table == unix.RT_TABLE_MAIN || n.tables[table] }

// leads reports whether a default route leads through the device.
func (n *near) leads(dev int32) bool {
	for _, devs := range n.leading {
		if slices.Contains(devs, dev) {
			return true
		}
	}
	return false
}

// concerns reports whether r is to be heeded.
func (n *near) concerns(r hostRoute) bool { return n.isNear(r) || !n.partial && n.isFar(r) }

// isNear reports whether r says where hosts are: it is a default route, leads to
// a link, or takes destinations out of one; or stands in another table than
// main, in the way to hosts or containers.
func (n *near) isNear(r hostRoute) bool {
	switch {
	case r.Dst.Bits() == 0, r.isDirect():
		return true
	case r.Table != unix.RT_TABLE_MAIN:
		return slices.ContainsFunc(n.links, r.Dst.Overlaps) || slices.ContainsFunc(n.overlay, r.Dst.Overlaps)
	}
	return slices.ContainsFunc(n.links, func(l netip.Prefix) bool {
		return l.Bits() <= r.Dst.Bits() && l.Contains(r.Dst.Addr())
	})
}

// isFar reports whether r says something about places behind gateways that the default
// route does not say, or takes destinations back from a route that does.
func (n *near) isFar(r hostRoute) bool {
	devs := n.leading[netconf.FamilyOf(r.Dst.Addr())]
	as := r.Table == unix.RT_TABLE_MAIN && r.Kind == unix.RTN_UNICAST && len(devs) == 1 &&
		!slices.ContainsFunc(r.hops, func(h codec.Hop) bool { return h.Dev != devs[0] })
	as = as && !slices.ContainsFunc(n.far, func(p netip.Prefix) bool { return p.Bits() < r.Dst.Bits() && p.Contains(r.Dst.Addr()) })
	return !as && !n.isNear(r) && !slices.ContainsFunc(n.overlay, r.Dst.Overlaps)
}
