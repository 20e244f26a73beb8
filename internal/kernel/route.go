package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

// rtaNexthopID is RTA_NH_ID of linux/rtnetlink.h (since 5.3).
const rtaNexthopID = 30

// route is a route as the kernel describes it.
type route struct {
	dst       netip.Prefix
	via       netip.Addr
	dev       int32
	nexthop   uint32 // id of a nexthop object, or 0
	metric    uint32
	table     uint32
	flags     uint32 // RTM_F_*, RTNH_F_*
	protocol  uint8
	kind      uint8 // RTN_*
	tos       uint8
	multipath rtnl.Attrs // struct rtnexthop...; valid until the next message is read
}

// routeHeader packs struct rtmsg of linux/rtnetlink.h for the main table.
func routeHeader(family uint8, bits int, protocol, scope, kind uint8, flags uint32) []byte {
	h := make([]byte, unix.SizeofRtMsg)
	h[0], h[1] = family, uint8(bits)
	h[4], h[5], h[6], h[7] = unix.RT_TABLE_MAIN, protocol, scope, kind
	native.PutUint32(h[8:], flags)
	return h
}

// decodeRoute reads RTM_NEWROUTE and RTM_DELROUTE.
func decodeRoute(m rtnl.Message) (route, bool) {
	head, attrs, ok := m.Header(unix.SizeofRtMsg)
	if !ok {
		return route{}, false
	}
	r := route{tos: head[3], table: uint32(head[4]), protocol: head[5], kind: head[7], flags: native.Uint32(head[8:])}
	dst := netip.IPv6Unspecified()
	if head[0] == unix.AF_INET {
		dst = netip.IPv4Unspecified()
	}
	for a := range attrs.All() {
		switch a.Type {
		case unix.RTA_DST:
			dst = a.Addr()
		case unix.RTA_GATEWAY:
			r.via = a.Addr()
		case unix.RTA_VIA: // struct rtvia: a gateway of the other family
			if len(a.Value) > 2 {
				r.via = rtnl.Attr{Value: a.Value[2:]}.Addr()
			}
		case unix.RTA_OIF:
			r.dev = int32(a.Uint32())
		case unix.RTA_PRIORITY:
			r.metric = a.Uint32()
		case unix.RTA_TABLE:
			r.table = a.Uint32()
		case rtaNexthopID:
			r.nexthop = a.Uint32()
		case unix.RTA_MULTIPATH:
			r.multipath = a.Attrs()
		}
	}
	r.dst = netip.PrefixFrom(dst, int(head[1]))
	return r, r.dst.IsValid()
}

// isRow reports whether the route stands where weft's routes of scope stand,
// or ahead of them: main table, default metric or a better one, into one of
// the networks.
func (r route) isRow(scope netstate.Scope) bool {
	switch {
	case r.table != unix.RT_TABLE_MAIN, r.tos != 0, r.flags&unix.RTM_F_CLONED != 0:
		return false
	case r.protocol == unix.RTPROT_KERNEL, r.metric > defaultMetric(r.dst.Addr()):
		return false
	}
	return r.kind != unix.RTN_LOCAL && scope.Holds(r.dst)
}

// row is the route in the words of netstate; name is that of its device.
func (r route) row(name string) netstate.Route {
	row := netstate.Route{Dst: r.dst}
	if r.metric != defaultMetric(r.dst.Addr()) {
		row.Metric = r.metric
	}
	if r.protocol != netstate.RouteProtocol {
		row.Proto = r.protocol
	}
	if r.kind == unix.RTN_UNICAST { // a blackhole leads nowhere
		row.Via, row.Dev, row.OnLink = r.via, name, r.flags&unix.RTNH_F_ONLINK != 0
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

// dumpRoutes calls yield for the routes of a family in the main table.
func dumpRoutes(conn *rtnl.Conn, f netconf.Family, yield func(route)) error {
	var b rtnl.Batch
	b.Message(unix.RTM_GETROUTE, unix.NLM_F_DUMP, routeHeader(afOf(f), 0, 0, 0, 0, 0)...)
	b.Uint32(unix.RTA_TABLE, unix.RT_TABLE_MAIN)
	for m, err := range conn.Dump(&b) {
		switch {
		case errors.Is(err, syscall.ENOENT):
			return nil // no route was ever put into the table
		case err != nil:
			return fmt.Errorf("list %s routes: %w", f, err)
		}
		// A kernel without strict checking lists every table's.
		if r, ok := decodeRoute(m); ok && r.table == unix.RT_TABLE_MAIN {
			yield(r)
		}
	}
	return nil
}

// protocolOf is the protocol that the kernel knows the route by.
func protocolOf(r netstate.Route) uint8 {
	if r.Foreign() {
		return r.Proto
	}
	return netstate.RouteProtocol
}

// How a route is put.
const (
	replace = unix.NLM_F_CREATE | unix.NLM_F_REPLACE // whatever stands there
	create  = unix.NLM_F_CREATE | unix.NLM_F_EXCL    // where nothing stands
)

// encodeRoute puts the request to set r, through a nexthop object if nexthop
// is not 0.
func encodeRoute(b *rtnl.Batch, how uint16, r netstate.Route, dev int32, nexthop uint32) {
	var scope uint8 = unix.RT_SCOPE_UNIVERSE
	var flags uint32
	if !r.Via.IsValid() && r.Dst.Addr().Is4() {
		scope = unix.RT_SCOPE_LINK
	}
	if r.OnLink && nexthop == 0 {
		flags = unix.RTNH_F_ONLINK
	}
	b.Message(unix.RTM_NEWROUTE, how, routeHeader(
		afOf(netconf.FamilyOf(r.Dst.Addr())), r.Dst.Bits(), protocolOf(r), scope, unix.RTN_UNICAST, flags)...)
	b.Addr(unix.RTA_DST, r.Dst.Addr())
	if nexthop != 0 {
		b.Uint32(rtaNexthopID, nexthop)
		return
	}
	if r.Via.IsValid() {
		b.Addr(unix.RTA_GATEWAY, r.Via)
	}
	if dev != 0 {
		b.Uint32(unix.RTA_OIF, uint32(dev))
	}
}

// encodeNoRoute puts the request to remove the route to dst that carries
// protocol and has the metric, 0 for the default one.
func encodeNoRoute(b *rtnl.Batch, dst netip.Prefix, protocol uint8, metric uint32) {
	b.Message(unix.RTM_DELROUTE, 0, routeHeader(
		afOf(netconf.FamilyOf(dst.Addr())), dst.Bits(), protocol, unix.RT_SCOPE_NOWHERE, 0, 0)...)
	b.Addr(unix.RTA_DST, dst.Addr())
	if metric = cmp.Or(metric, defaultMetric(dst.Addr())); metric != 0 {
		b.Uint32(unix.RTA_PRIORITY, metric)
	}
}
