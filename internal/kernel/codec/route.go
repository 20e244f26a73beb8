package codec

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// rtaNexthopID is RTA_NH_ID of linux/rtnetlink.h (since 5.3).
const rtaNexthopID = 30

// Route is a route.
type Route struct {
	Dst       netip.Prefix
	Via       netip.Addr
	Src       netip.Addr // preferred source, or none
	Dev       int32
	Nexthop   uint32 // id of a nexthop object, or 0
	Metric    uint32
	MTU       uint32 // bytes; 0: the device's
	Table     uint32
	Flags     uint32 // RTM_F_*, RTNH_F_*
	Protocol  uint8
	Kind      uint8 // RTN_*
	Scope     uint8 // RT_SCOPE_*
	TOS       uint8
	Multipath rtnl.Attrs // struct rtnexthop...; valid until the next message is read
}

// RouteHeader packs struct rtmsg of linux/rtnetlink.h.
func RouteHeader(family uint8, bits int, table, protocol, scope, kind uint8, flags uint32) []byte {
	h := make([]byte, unix.SizeofRtMsg)
	h[0], h[1] = family, uint8(bits)
	h[4], h[5], h[6], h[7] = table, protocol, scope, kind
	native.PutUint32(h[8:], flags)
	return h
}

// DecodeRoute reads RTM_NEWROUTE and RTM_DELROUTE.
func DecodeRoute(m rtnl.Message) (Route, bool) {
	head, attrs, ok := m.Header(unix.SizeofRtMsg)
	if !ok {
		return Route{}, false
	}
	r := Route{TOS: head[3], Table: uint32(head[4]), Protocol: head[5], Scope: head[6], Kind: head[7], Flags: native.Uint32(head[8:])}
	dst := netip.IPv6Unspecified()
	if head[0] == unix.AF_INET {
		dst = netip.IPv4Unspecified()
	}
	for a := range attrs.All() {
		switch a.Type {
		case unix.RTA_DST:
			dst = a.Addr()
		case unix.RTA_GATEWAY:
			r.Via = a.Addr()
		case unix.RTA_VIA:
			r.Via = viaOf(a)
		case unix.RTA_PREFSRC:
			r.Src = a.Addr()
		case unix.RTA_OIF:
			r.Dev = int32(a.Uint32())
		case unix.RTA_PRIORITY:
			r.Metric = a.Uint32()
		case unix.RTA_METRICS:
			r.MTU = mtuOf(a.Attrs())
		case unix.RTA_TABLE:
			r.Table = a.Uint32()
		case rtaNexthopID:
			r.Nexthop = a.Uint32()
		case unix.RTA_MULTIPATH:
			r.Multipath = a.Attrs()
		}
	}
	r.Dst = netip.PrefixFrom(dst, int(head[1]))
	return r, r.Dst.IsValid()
}

// mtuOf returns the MTU among the metrics of a route, 0 if it has none.
func mtuOf(metrics rtnl.Attrs) uint32 {
	for m := range metrics.All() {
		if m.Type == unix.RTAX_MTU {
			return m.Uint32()
		}
	}
	return 0
}

// viaOf reads struct rtvia: a gateway of the other family.
func viaOf(a rtnl.Attr) netip.Addr {
	if len(a.Value) <= 2 {
		return netip.Addr{}
	}
	return rtnl.Attr{Value: a.Value[2:]}.Addr()
}

// Hop is one of the ways that a route leads.
type Hop struct {
	Via netip.Addr // the gateway; none if the destination is at the device itself
	Dev int32
}

// Hops returns the ways that r leads: more than one if it is a multipath
// route, none if it leads nowhere or names a nexthop object alone. Ways that the
// kernel passes over, since their device is down, are left out.
func (r Route) Hops() []Hop {
	if r.Dev != 0 {
		return []Hop{{r.Via, r.Dev}}
	}
	var out []Hop
	for rest := r.Multipath; len(rest) >= unix.SizeofRtNexthop; {
		// struct rtnexthop of linux/rtnetlink.h: length, flags, hops, ifindex, then attributes
		size := int(native.Uint16(rest))
		if size < unix.SizeofRtNexthop || size > len(rest) {
			break
		}
		h := Hop{Dev: int32(native.Uint32(rest[4:]))}
		for a := range rest[unix.SizeofRtNexthop:size].All() {
			switch a.Type {
			case unix.RTA_GATEWAY:
				h.Via = a.Addr()
			case unix.RTA_VIA:
				h.Via = viaOf(a)
			}
		}
		if rest[2]&unix.RTNH_F_DEAD == 0 {
			out = append(out, h)
		}
		rest = rest[min((size+3)&^3, len(rest)):]
	}
	return out
}

// Routes says which routes to list: those of a table, of a device, of a
// protocol, or of several of these; 0 is any.
type Routes struct {
	Table    uint32
	Dev      int32
	Protocol uint8
}

// Read calls yield with these routes of a family.
func (f Routes) Read(conn *rtnl.Conn, family uint8, yield func(Route)) error {
	var b rtnl.Batch
	b.Message(unix.RTM_GETROUTE, unix.NLM_F_DUMP, RouteHeader(family, 0, 0, f.Protocol, 0, 0, 0)...)
	if f.Table != 0 {
		b.Uint32(unix.RTA_TABLE, f.Table)
	}
	if f.Dev != 0 {
		b.Uint32(unix.RTA_OIF, uint32(f.Dev))
	}
	for m, err := range conn.Dump(&b) {
		switch {
		case errors.Is(err, syscall.ENOENT):
			return nil // no route was ever put into the table
		case err != nil:
			return fmt.Errorf("list routes: %w", err)
		}
		if r, ok := DecodeRoute(m); ok && (f.Table == 0 || r.Table == f.Table) && (f.Dev == 0 || r.Dev == f.Dev) && (f.Protocol == 0 || r.Protocol == f.Protocol) {
			yield(r)
		}
	}
	return nil
}

// EncodeRoute puts the request to set a unicast route. One without a gateway leads to
// what is at the device itself; one through a nexthop object leaves gateway and device to that.
func EncodeRoute(b *rtnl.Batch, how uint16, r Route) {
	var scope uint8 = unix.RT_SCOPE_UNIVERSE
	if !r.Via.IsValid() && r.Dst.Addr().Is4() && r.Kind <= unix.RTN_UNICAST {
		scope = unix.RT_SCOPE_LINK
	}
	var small uint8 // tables of more than a byte have an attribute
	if r.Table <= 0xff {
		small = uint8(r.Table)
	}
	b.Message(unix.RTM_NEWROUTE, how, RouteHeader(Family(r.Dst.Addr()), r.Dst.Bits(), small, r.Protocol, scope, max(r.Kind, unix.RTN_UNICAST), r.Flags)...)
	b.Addr(unix.RTA_DST, r.Dst.Addr())
	if small == 0 {
		b.Uint32(unix.RTA_TABLE, r.Table)
	}
	if r.Metric != 0 {
		b.Uint32(unix.RTA_PRIORITY, r.Metric)
	}
	if r.MTU != 0 {
		metrics := b.Nest(unix.RTA_METRICS)
		b.Uint32(unix.RTAX_MTU, r.MTU)
		b.End(metrics)
	}
	if r.Nexthop != 0 {
		b.Uint32(rtaNexthopID, r.Nexthop)
		return
	}
	if r.Via.IsValid() {
		b.Addr(unix.RTA_GATEWAY, r.Via)
	}
	if r.Dev != 0 {
		b.Uint32(unix.RTA_OIF, uint32(r.Dev))
	}
}

// EncodeNoRoute puts the request to remove the route of the main table to r's
// destination that has r's protocol and, unless it is 0, its metric.
func EncodeNoRoute(b *rtnl.Batch, r Route) {
	b.Message(unix.RTM_DELROUTE, 0, RouteHeader(
		Family(r.Dst.Addr()), r.Dst.Bits(), unix.RT_TABLE_MAIN, r.Protocol, unix.RT_SCOPE_NOWHERE, 0, 0)...)
	b.Addr(unix.RTA_DST, r.Dst.Addr())
	if r.Metric != 0 {
		b.Uint32(unix.RTA_PRIORITY, r.Metric)
	}
}
