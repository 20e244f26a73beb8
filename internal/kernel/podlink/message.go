package podlink

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/owned"
)

const kindVeth = "veth"

// Numbers that x/sys/unix lacks.
const (
	vethInfoPeer = 1 // VETH_INFO_PEER of linux/veth.h

	// IPV4_DEVCONF_* of linux/ip.h.
	confForwarding = 1
	confProxyARP   = 3
	confRPFilter   = 8
	confARPNotify  = 22

	addrGenModeNone = 1 // IN6_ADDR_GEN_MODE_NONE of linux/if_link.h
)

// encodeVeth puts the request to make both ends, the pod's in its namespace
// from the start.
func (l Link) encodeVeth(b *rtnl.Batch, pod int) {
	b.Message(unix.RTM_NEWLINK, codec.Create, codec.LinkHeader(0, 0, 0)...)
	l.encodeEnd(b, l.Host, l.HostMAC)
	info := b.Nest(unix.IFLA_LINKINFO)
	b.String(unix.IFLA_INFO_KIND, kindVeth)
	data := b.Nest(unix.IFLA_INFO_DATA)
	peer := b.Nest(vethInfoPeer)
	b.Raw(codec.LinkHeader(0, 0, 0)...)
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
	b.Message(unix.RTM_NEWLINK, 0, codec.LinkHeader(index, 0, 0)...)
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

// encodeAddr puts the request to add an address.
func encodeAddr(b *rtnl.Batch, a netip.Addr, bits int, index int32) {
	var scope uint8 = unix.RT_SCOPE_UNIVERSE
	if a.IsLinkLocalUnicast() {
		scope = unix.RT_SCOPE_LINK
	}
	codec.EncodeAddr(b, codec.Create, codec.Addr{Prefix: netip.PrefixFrom(a, bits), Index: index, Scope: scope})
}

// encodeNeigh puts the request to know a's MAC for good.
func encodeNeigh(b *rtnl.Batch, a netip.Addr, mac MAC, index int32) {
	codec.EncodeNeigh(b, codec.Neigh{Family: codec.Family(a), Index: index, Dst: a, MAC: mac})
}

// encodeLearned puts the request to know a's MAC until it turns out to be
// another: a plugin behind weft's in a list may change it. As an entry that was
// learned elsewhere it does not count towards the kernel's limit.
func encodeLearned(b *rtnl.Batch, a netip.Addr, mac MAC, index int32) {
	codec.EncodeNeigh(b, codec.Neigh{
		Family: codec.Family(a), Index: index, Dst: a, MAC: mac, State: unix.NUD_REACHABLE, Flags: unix.NTF_EXT_LEARNED,
	})
}

// encodeNotify has the pod's end tell the host's of another MAC at once.
func encodeNotify(b *rtnl.Batch, index int32) {
	b.Message(unix.RTM_NEWLINK, 0, codec.LinkHeader(index, 0, 0)...)
	families := b.Nest(unix.IFLA_AF_SPEC)
	inet := b.Nest(unix.AF_INET)
	conf := b.Nest(unix.IFLA_INET_CONF)
	b.Uint32(confARPNotify, 1)
	b.End(conf)
	b.End(inet)
	b.End(families)
}

// toPod is the host's route to a pod's address.
func toPod(a netip.Addr, dev int32) codec.Route {
	return codec.Route{Table: unix.RT_TABLE_MAIN, Dst: alone(a), Dev: dev, Protocol: owned.PodProtocol}
}

// wayOut is a default route of a's family in the pod.
func wayOut(a netip.Addr, dev int32, table uint32) codec.Route {
	return codec.Route{
		Table: table, Dst: everything(a), Via: Gateway(a), Dev: dev, Protocol: unix.RTPROT_BOOT, Flags: unix.RTNH_F_ONLINK,
	}
}

// toGateway is the pod's route to the gateway of a's family on a link, which is
// no other's: programs that add a route by it need not know that it is on-link.
func toGateway(a netip.Addr, dev int32) codec.Route {
	return codec.Route{Table: unix.RT_TABLE_MAIN, Dst: alone(Gateway(a)), Dev: dev, Metric: ownTable(dev), Protocol: unix.RTPROT_BOOT}
}

// encodeRule puts the request to route what comes from a by a table.
func encodeRule(b *rtnl.Batch, a netip.Addr, table uint32) {
	b.Message(unix.RTM_NEWRULE, codec.Create, ruleHeader(a)...)
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
	h[0], h[2], h[7] = codec.Family(a), uint8(a.BitLen()), unix.FR_ACT_TO_TBL
	return h
}
