package kernel

import (
	"cmp"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// isManagedRoute reports whether a route stands where weft's routes of scope stand,
// or ahead of them: main table, default metric or a better one, into one of
// the networks.
func isManagedRoute(r codec.Route, scope netstate.Scope) bool {
	switch {
	case r.Table != unix.RT_TABLE_MAIN, r.TOS != 0, r.Flags&unix.RTM_F_CLONED != 0:
		return false
	case isReject(r):
		return scope.Holds(r.Dst)
	case r.Protocol == unix.RTPROT_KERNEL, r.Metric > defaultMetric(r.Dst.Addr()):
		return false
	}
	return r.Kind != unix.RTN_LOCAL && scope.Holds(r.Dst)
}

// rejectMetric is that of weft's rejecting routes, the worst there is.
const rejectMetric = 1<<32 - 1

// rejects are the kinds of rejecting routes.
var rejects = map[string]uint8{netstate.Unreachable: unix.RTN_UNREACHABLE, netstate.Blackhole: unix.RTN_BLACKHOLE}

// isReject reports whether r is a rejecting route of weft's.
func isReject(r codec.Route) bool {
	return r.Protocol == owned.RouteProtocol && r.Metric == rejectMetric && rejectOf(r) != ""
}

func rejectOf(r codec.Route) string {
	for name, kind := range rejects {
		if r.Kind == kind {
			return name
		}
	}
	return ""
}

// routeOf is r in the words of netstate; name is that of its device.
func routeOf(r codec.Route, name string) netstate.Route {
	row := netstate.Route{Dst: r.Dst}
	if isReject(r) {
		row.Reject = rejectOf(r)
		return row
	}
	if r.Metric != defaultMetric(r.Dst.Addr()) {
		row.Metric = r.Metric
	}
	if r.Protocol != owned.RouteProtocol {
		row.Proto = r.Protocol
	}
	if r.Kind == unix.RTN_UNICAST { // a blackhole leads nowhere
		row.Via, row.Dev, row.OnLink = r.Via, name, r.Flags&unix.RTNH_F_ONLINK != 0
		row.MTU = int(r.MTU)
	}
	return row
}

// defaultMetric is the metric that the kernel gives a route when none is
// asked for: 0 for IPv4, IP6_RT_PRIO_USER of linux/ipv6_route.h for IPv6.
func defaultMetric(a netip.Addr) uint32 {
	if a.Is4() {
		return 0
	}
	return 1024
}

// readRoutes calls yield for the routes of a family in the main table.
func readRoutes(conn *rtnl.Conn, f netconf.Family, yield func(codec.Route)) error {
	return codec.Routes{Table: unix.RT_TABLE_MAIN}.Read(conn, afOf(f), yield)
}

// protocolOf is the protocol that the kernel knows the route by.
func protocolOf(r netstate.Route) uint8 {
	if r.Foreign() {
		return r.Proto
	}
	return owned.RouteProtocol
}

// encodeRoute puts the request to set r, through a nexthop object if nexthop
// is not 0.
func encodeRoute(b *rtnl.Batch, how uint16, r netstate.Route, dev int32, nexthop uint32) {
	if r.Reject != "" {
		codec.EncodeRoute(b, how, codec.Route{
			Dst: r.Dst, Kind: rejects[r.Reject], Table: unix.RT_TABLE_MAIN, Protocol: owned.RouteProtocol, Metric: rejectMetric,
		})
		return
	}
	var flags uint32
	if r.OnLink && nexthop == 0 {
		flags = unix.RTNH_F_ONLINK
	}
	codec.EncodeRoute(b, how, codec.Route{
		Dst: r.Dst, Via: r.Via, Dev: dev, Nexthop: nexthop, Table: unix.RT_TABLE_MAIN, Protocol: protocolOf(r), Flags: flags,
		MTU: uint32(r.MTU),
	})
}

// encodeNoRoute puts the request to remove the route to dst that carries
// protocol and has the metric, 0 for the default one.
func encodeNoRoute(b *rtnl.Batch, dst netip.Prefix, protocol uint8, metric uint32) {
	codec.EncodeNoRoute(b, codec.Route{Dst: dst, Protocol: protocol, Metric: cmp.Or(metric, defaultMetric(dst.Addr()))})
}
