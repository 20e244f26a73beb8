package podlink

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

var native = binary.NativeEndian

const kindVeth = "veth"

// Numbers that x/sys/unix lacks.
const (
	vethInfoPeer = 1 // VETH_INFO_PEER of linux/veth.h

	// IPV4_DEVCONF_* of linux/ip.h.
	confForwarding = 1
	confProxyARP   = 3
	confRPFilter   = 8

	addrGenModeNone = 1 // IN6_ADDR_GEN_MODE_NONE of linux/if_link.h
)

// linkHeader packs struct ifinfomsg of linux/rtnetlink.h.
func linkHeader(index int32, flags, change uint32) []byte {
	h := make([]byte, unix.SizeofIfInfomsg)
	native.PutUint32(h[4:], uint32(index))
	native.PutUint32(h[8:], flags)
	native.PutUint32(h[12:], change)
	return h
}

// encodeVeth puts the request to make both ends, the pod's in its namespace
// from the start.
func (l Link) encodeVeth(b *rtnl.Batch, pod int) {
	b.Message(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, linkHeader(0, 0, 0)...)
	l.encodeEnd(b, l.Host, l.HostMAC)
	info := b.Nest(unix.IFLA_LINKINFO)
	b.String(unix.IFLA_INFO_KIND, kindVeth)
	data := b.Nest(unix.IFLA_INFO_DATA)
	peer := b.Nest(vethInfoPeer)
	b.Raw(linkHeader(0, 0, 0)...)
	l.encodeEnd(b, l.Pod, l.PodMAC)
	b.Uint32(unix.IFLA_NET_NS_FD, uint32(pod))
	b.End(peer)
	b.End(data)
	b.End(info)
}

func (l Link) encodeEnd(b *rtnl.Batch, name string, mac MAC) {
	b.String(unix.IFLA_IFNAME, name)
	b.Bytes(unix.IFLA_ADDRESS, mac[:]...)
	if l.MTU != 0 {
		b.Uint32(unix.IFLA_MTU, uint32(l.MTU))
	}
}

// encodeTraits puts what the host's end is like, before it comes up: packets
// of the pod are forwarded, and those with a source that is not the pod's are
// not; whoever in the pod asks for a MAC is answered; and the kernel gives the
// end no IPv6 address of its own making.
func (l Link) encodeTraits(b *rtnl.Batch, index int32) {
	b.Message(unix.RTM_NEWLINK, 0, linkHeader(index, 0, 0)...)
	b.String(unix.IFLA_IFALIAS, l.Alias)
	families := b.Nest(unix.IFLA_AF_SPEC)
	inet := b.Nest(unix.AF_INET)
	conf := b.Nest(unix.IFLA_INET_CONF)
	for _, on := range []uint16{confForwarding, confProxyARP, confRPFilter} {
		b.Uint32(on, 1)
	}
	b.End(conf)
	b.End(inet)
	if l.has6() {
		inet6 := b.Nest(unix.AF_INET6)
		b.Uint8(unix.IFLA_INET6_ADDR_GEN_MODE, addrGenModeNone)
		b.End(inet6)
	}
	b.End(families)
}

func up(b *rtnl.Batch, index int32) {
	b.Message(unix.RTM_NEWLINK, 0, linkHeader(index, unix.IFF_UP, unix.IFF_UP)...)
}

// encodeAddr puts the request to add an address. Nobody else on a link of two
// has it, so that nobody is asked (RFC 4862 has duplicate address detection).
func encodeAddr(b *rtnl.Batch, a netip.Addr, bits int, index int32) {
	h := make([]byte, unix.SizeofIfAddrmsg)
	h[0], h[1], h[2] = familyOf(a), uint8(bits), unix.IFA_F_NODAD
	if a.IsLinkLocalUnicast() {
		h[3] = unix.RT_SCOPE_LINK
	}
	native.PutUint32(h[4:], uint32(index))
	b.Message(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, h...)
	b.Addr(unix.IFA_LOCAL, a)
	b.Addr(unix.IFA_ADDRESS, a)
}

// encodeNeigh puts the request to know a's MAC for good.
func encodeNeigh(b *rtnl.Batch, a netip.Addr, mac MAC, index int32) {
	h := make([]byte, unix.SizeofNdMsg)
	h[0] = familyOf(a)
	native.PutUint32(h[4:], uint32(index))
	native.PutUint16(h[8:], unix.NUD_PERMANENT)
	b.Message(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, h...)
	b.Addr(unix.NDA_DST, a)
	b.Bytes(unix.NDA_LLADDR, mac[:]...)
}

// route is a route.
type route struct {
	table    uint32
	dst      netip.Prefix
	via      netip.Addr // invalid: the destination is at the other end
	dev      int32
	protocol uint8
}

// toPod is the host's route to a pod's address.
func toPod(a netip.Addr, dev int32) route {
	return route{table: unix.RT_TABLE_MAIN, dst: alone(a), dev: dev, protocol: netstate.PodProtocol}
}

// wayOut is a default route of a's family in the pod.
func wayOut(a netip.Addr, dev int32, table uint32) route {
	return route{table: table, dst: everything(a), via: Gateway(a), dev: dev, protocol: unix.RTPROT_BOOT}
}

// encodeRoute puts the request to add r where no route to its destination is.
func encodeRoute(b *rtnl.Batch, r route) {
	h := make([]byte, unix.SizeofRtMsg)
	h[0], h[1] = familyOf(r.dst.Addr()), uint8(r.dst.Bits())
	h[4], h[5], h[6], h[7] = unix.RT_TABLE_UNSPEC, r.protocol, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST
	switch {
	case r.via.IsValid():
		native.PutUint32(h[8:], unix.RTNH_F_ONLINK)
	case r.dst.Addr().Is4():
		h[6] = unix.RT_SCOPE_LINK
	}
	b.Message(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, h...)
	b.Addr(unix.RTA_DST, r.dst.Addr())
	if r.via.IsValid() {
		b.Addr(unix.RTA_GATEWAY, r.via)
	}
	b.Uint32(unix.RTA_OIF, uint32(r.dev))
	b.Uint32(unix.RTA_TABLE, r.table)
}

// encodeRule puts the request to route what comes from a by a table.
func encodeRule(b *rtnl.Batch, a netip.Addr, table uint32) {
	b.Message(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, ruleHeader(a)...)
	b.Addr(unix.FRA_SRC, a)
	b.Uint32(unix.FRA_TABLE, table)
	b.Uint32(unix.FRA_PRIORITY, rulePriority)
}

// encodeNoRule puts the request to remove a rule that encodeRule has made for a.
func encodeNoRule(b *rtnl.Batch, a netip.Addr) {
	b.Message(unix.RTM_DELRULE, 0, ruleHeader(a)...)
	b.Addr(unix.FRA_SRC, a)
	b.Uint32(unix.FRA_PRIORITY, rulePriority)
}

// ruleHeader packs struct fib_rule_hdr of linux/fib_rules.h, which is as large
// as struct rtmsg, for a rule about what comes from a.
func ruleHeader(a netip.Addr) []byte {
	h := make([]byte, unix.SizeofRtMsg)
	h[0], h[2], h[7] = familyOf(a), uint8(a.BitLen()), unix.FR_ACT_TO_TBL
	return h
}

func familyOf(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
