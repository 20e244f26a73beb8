package netstate

import (
	"fmt"
	"net/netip"
)

// RouteProtocol marks weft's routes and nexthops in the kernel
// (RTA_PROTOCOL). It is not assigned in linux/rtnetlink.h or in iproute2's
// rt_protos.
const RouteProtocol = 119

// Route is a route of the main table with the family's default metric,
// identified by its destination. How the kernel is told (nexthop object or
// gateway attribute) is not part of it.
type Route struct {
	Dst    netip.Prefix // masked
	Via    netip.Addr
	Dev    string
	OnLink bool // Via is taken to be on Dev although no prefix says so
	Proto  uint8
	// Proto is 0 for weft's own routes; else the protocol of whoever put a
	// route where weft looks for its own. Such a route is replaced when its
	// destination is wanted and left alone when not.
}

func (r Route) compare(o Route) int { return comparePrefix(r.Dst, o.Dst) }

// Foreign reports whether somebody else made the route.
func (r Route) Foreign() bool { return r.Proto != 0 }

// String renders e.g. "route 172.7.24.0/24 via 172.7.24.0 dev flannel.1 onlink".
func (r Route) String() string {
	s := "route " + r.Dst.String()
	if r.Via.IsValid() {
		s += " via " + r.Via.String()
	}
	if r.Dev != "" {
		s += " dev " + r.Dev
	}
	if r.OnLink {
		s += " onlink"
	}
	if r.Foreign() {
		s += fmt.Sprintf(" proto %d", r.Proto)
	}
	return s
}
