package podlink

import (
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// device is what the kernel says of one.
type device struct {
	index int32
	name  string
	kind  string
	mtu   int
	mac   MAC
	up    bool
}

// find asks for the device of a name; syscall.ENODEV if there is none.
func find(conn *rtnl.Conn, name string) (d device, err error) {
	if len(name) >= unix.IFNAMSIZ {
		return d, fmt.Errorf("%q cannot be the name of a device: it has more than %d bytes", name, unix.IFNAMSIZ-1)
	}
	var b rtnl.Batch
	b.Message(unix.RTM_GETLINK, 0, linkHeader(0, 0, 0)...)
	b.String(unix.IFLA_IFNAME, name)
	for m, err := range conn.Dump(&b) {
		if err != nil {
			return d, fmt.Errorf("look for device %s: %w", name, err)
		}
		d, _ = decodeDevice(m)
	}
	if d.index == 0 {
		return d, fmt.Errorf("there is no device %s: %w", name, syscall.ENODEV)
	}
	return d, nil
}

// decodeDevice reads RTM_NEWLINK.
func decodeDevice(m rtnl.Message) (d device, ok bool) {
	head, attrs, ok := m.Header(unix.SizeofIfInfomsg)
	if !ok {
		return d, false
	}
	d.index = int32(native.Uint32(head[4:]))
	d.up = native.Uint32(head[8:])&unix.IFF_UP != 0
	for a := range attrs.All() {
		switch a.Type {
		case unix.IFLA_IFNAME:
			d.name = a.String()
		case unix.IFLA_MTU:
			d.mtu = int(a.Uint32())
		case unix.IFLA_ADDRESS:
			if len(a.Value) == len(d.mac) {
				d.mac = MAC(a.Value)
			}
		case unix.IFLA_LINKINFO:
			d.kind = decodeKind(a.Attrs())
		}
	}
	return d, true
}

func decodeKind(attrs rtnl.Attrs) string {
	for a := range attrs.All() {
		if a.Type == unix.IFLA_INFO_KIND {
			return a.String()
		}
	}
	return ""
}

// routes returns the routes that lead to a device, of the family of like, in
// the main table and the device's own.
func routes(conn *rtnl.Conn, like netip.Addr, dev int32) (all []route, err error) {
	h := make([]byte, unix.SizeofRtMsg)
	h[0] = familyOf(like)
	var b rtnl.Batch
	b.Message(unix.RTM_GETROUTE, unix.NLM_F_DUMP, h...)
	b.Uint32(unix.RTA_OIF, uint32(dev))
	for m, err := range conn.Dump(&b) {
		if err != nil {
			return nil, fmt.Errorf("list routes: %w", err)
		}
		r, ok := decodeRoute(m)
		if ok && r.dev == dev && (r.table == unix.RT_TABLE_MAIN || r.table == ownTable(dev)) {
			all = append(all, r)
		}
	}
	return all, nil
}

// decodeRoute reads RTM_NEWROUTE.
func decodeRoute(m rtnl.Message) (r route, ok bool) {
	head, attrs, ok := m.Header(unix.SizeofRtMsg)
	if !ok {
		return r, false
	}
	dst := netip.IPv6Unspecified()
	if head[0] == unix.AF_INET {
		dst = netip.IPv4Unspecified()
	}
	r.table, r.protocol = uint32(head[4]), head[5]
	for a := range attrs.All() {
		switch a.Type {
		case unix.RTA_DST:
			dst = a.Addr()
		case unix.RTA_GATEWAY:
			r.via = a.Addr()
		case unix.RTA_TABLE:
			r.table = a.Uint32()
		case unix.RTA_OIF:
			r.dev = int32(a.Uint32())
		}
	}
	r.dst = netip.PrefixFrom(dst, int(head[1]))
	return r, r.dst.IsValid()
}

// addresses returns those of a device, of both families.
func addresses(conn *rtnl.Conn, dev int32) (all []netip.Addr, err error) {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		h := make([]byte, unix.SizeofIfAddrmsg)
		h[0] = family
		native.PutUint32(h[4:], uint32(dev))
		var b rtnl.Batch
		b.Message(unix.RTM_GETADDR, unix.NLM_F_DUMP, h...)
		for m, err := range conn.Dump(&b) {
			if err != nil {
				return nil, fmt.Errorf("list addresses: %w", err)
			}
			if a, index := decodeAddr(m); index == dev {
				all = append(all, a)
			}
		}
	}
	return all, nil
}

// decodeAddr reads RTM_NEWADDR.
func decodeAddr(m rtnl.Message) (a netip.Addr, dev int32) {
	head, attrs, ok := m.Header(unix.SizeofIfAddrmsg)
	if !ok {
		return a, 0
	}
	var local, peer netip.Addr
	for attr := range attrs.All() {
		switch attr.Type {
		case unix.IFA_LOCAL:
			local = attr.Addr()
		case unix.IFA_ADDRESS:
			peer = attr.Addr()
		}
	}
	if !local.IsValid() {
		local = peer
	}
	return local, int32(native.Uint32(head[4:]))
}
