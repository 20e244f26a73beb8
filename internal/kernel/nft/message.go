package nft

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// Table families by the names that nft(8) has for them.
var families = map[string]uint8{"ip": unix.NFPROTO_IPV4, "ip6": unix.NFPROTO_IPV6, "inet": unix.NFPROTO_INET}

// familyNames are the same the other way round.
var familyNames = map[uint8]string{unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6", unix.NFPROTO_INET: "inet"}

// hooks of families ip, ip6 and inet, by number.
var hooks = []string{"prerouting", "input", "forward", "output", "postrouting"}

// Hooks of devices, by number, and how family inet has the first of them.
const netdevIngress, netdevEgress, inetIngress = 0, 1, 5

// Numbers that golang.org/x/sys does not have.
const (
	typeIPv4, typeIPv6 = 7, 8 // nft(8)'s own numbers for data types
	udataKeyByteorder  = 0    // libnftnl's NFTNL_UDATA_SET_KEYBYTEORDER
	udataBigEndian     = 2
	udataComment       = 0 // libnftnl's NFTNL_UDATA_RULE_COMMENT
	hookDevices        = 4 // NFTA_HOOK_DEVS: a list of
	deviceName         = 1 // NFTA_DEVICE_NAME and, since Linux 6.16,
	devicePrefix       = 2 // NFTA_DEVICE_PREFIX
)

// message begins a message about nftables.
func message(b *rtnl.Batch, kind, flags uint16, family uint8) int {
	return b.Message(unix.NFNL_SUBSYS_NFTABLES<<8|kind, flags, family, unix.NFNETLINK_V0, 0, 0)
}

// bound puts the message that begins or ends a transaction.
func bound(b *rtnl.Batch, kind uint16) {
	b.Message(kind, 0, unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, unix.NFNL_SUBSYS_NFTABLES)
}

func encodeTable(b *rtnl.Batch, name string, family uint8, remove bool) {
	kind, flags := uint16(unix.NFT_MSG_NEWTABLE), uint16(unix.NLM_F_CREATE)
	if remove {
		kind, flags = unix.NFT_MSG_DELTABLE, 0
	}
	message(b, kind, flags, family)
	b.String(unix.NFTA_TABLE_NAME, name)
}

func encodeChain(b *rtnl.Batch, c netstate.Chain) {
	message(b, unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, unix.NFPROTO_INET)
	b.String(unix.NFTA_CHAIN_TABLE, c.Table)
	b.String(unix.NFTA_CHAIN_NAME, c.Name)
	hook := b.Nest(unix.NFTA_CHAIN_HOOK)
	b.Uint32BE(unix.NFTA_HOOK_HOOKNUM, hookNumber(c.Hook))
	b.Uint32BE(unix.NFTA_HOOK_PRIORITY, uint32(c.Priority))
	b.End(hook)
	policy := uint32(verdictAccept)
	if c.Drop {
		policy = verdictDrop
	}
	b.Uint32BE(unix.NFTA_CHAIN_POLICY, policy)
	b.String(unix.NFTA_CHAIN_TYPE, c.Type)
}

func hookNumber(name string) uint32 {
	for i, h := range hooks {
		if h == name {
			return uint32(i)
		}
	}
	return ^uint32(0)
}

// encodeNoChain removes a chain, which must be empty.
func encodeNoChain(b *rtnl.Batch, family uint8, table, chain string) {
	message(b, unix.NFT_MSG_DELCHAIN, 0, family)
	b.String(unix.NFTA_CHAIN_TABLE, table)
	b.String(unix.NFTA_CHAIN_NAME, chain)
}

func encodeSet(b *rtnl.Batch, s netstate.Set, id uint32) {
	kind, size := uint32(typeIPv4), uint32(4)
	if s.Type == netstate.TypeIPv6 {
		kind, size = typeIPv6, 16
	}
	message(b, unix.NFT_MSG_NEWSET, unix.NLM_F_CREATE, unix.NFPROTO_INET)
	b.String(unix.NFTA_SET_TABLE, s.Table)
	b.String(unix.NFTA_SET_NAME, s.Name)
	var flags uint32
	if s.Interval {
		flags = unix.NFT_SET_INTERVAL
	}
	b.Uint32BE(unix.NFTA_SET_FLAGS, flags)
	b.Uint32BE(unix.NFTA_SET_KEY_TYPE, kind)
	b.Uint32BE(unix.NFTA_SET_KEY_LEN, size)
	b.Uint32BE(unix.NFTA_SET_ID, id)
	b.Bytes(unix.NFTA_SET_USERDATA, append([]byte{udataKeyByteorder, 4}, native32(udataBigEndian)...)...)
}

func encodeNoSet(b *rtnl.Batch, s netstate.Set) {
	message(b, unix.NFT_MSG_DELSET, 0, unix.NFPROTO_INET)
	b.String(unix.NFTA_SET_TABLE, s.Table)
	b.String(unix.NFTA_SET_NAME, s.Name)
}

// encodeElements puts one message for members of one set.
func encodeElements(b *rtnl.Batch, members []netstate.Element, interval, remove bool) {
	kind, flags := uint16(unix.NFT_MSG_NEWSETELEM), uint16(unix.NLM_F_CREATE)
	if remove {
		kind, flags = unix.NFT_MSG_DELSETELEM, 0
	}
	message(b, kind, flags, unix.NFPROTO_INET)
	b.String(unix.NFTA_SET_ELEM_LIST_TABLE, members[0].Table)
	b.String(unix.NFTA_SET_ELEM_LIST_SET, members[0].Set)
	list := b.Nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS)
	for _, m := range members {
		encodeKey(b, m.Prefix.Addr(), 0)
		if end := behind(m.Prefix); interval && end.IsValid() {
			encodeKey(b, end, unix.NFT_SET_ELEM_INTERVAL_END)
		}
	}
	b.End(list)
}

func encodeKey(b *rtnl.Batch, a netip.Addr, flags uint32) {
	element := b.Nest(unix.NFTA_LIST_ELEM)
	if flags != 0 {
		b.Uint32BE(unix.NFTA_SET_ELEM_FLAGS, flags)
	}
	key := b.Nest(unix.NFTA_SET_ELEM_KEY)
	b.Addr(unix.NFTA_DATA_VALUE, a)
	b.End(key)
	b.End(element)
}

// behind returns the first address behind p, the zero Addr if there is none.
func behind(p netip.Prefix) netip.Addr {
	raw := p.Addr().AsSlice()
	for i := range raw {
		if bits := p.Bits() - 8*i; bits < 8 {
			raw[i] |= 0xff >> max(bits, 0)
		}
	}
	last, _ := netip.AddrFromSlice(raw)
	return last.Next()
}

// Where a new rule goes.
const (
	atHead = 0
	atTail = unix.NLM_F_APPEND
)

// place is a chain.
type place struct {
	family       uint8
	table, chain string
}

func (p place) put(b *rtnl.Batch) {
	b.String(unix.NFTA_RULE_TABLE, p.table)
	b.String(unix.NFTA_RULE_CHAIN, p.chain)
}

func encodeRule(b *rtnl.Batch, p place, body netstate.Body, where uint16) {
	message(b, unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|where, p.family)
	p.put(b)
	encodeBody(b, body, p.family)
}

// encodeRuleBehind adds a rule right behind the one with the given handle.
func encodeRuleBehind(b *rtnl.Batch, p place, body netstate.Body, handle uint64) {
	message(b, unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, p.family)
	p.put(b)
	b.Uint64BE(unix.NFTA_RULE_POSITION, handle)
	encodeBody(b, body, p.family)
}

// encodeOtherRule puts a rule in the place of the one with the given handle.
func encodeOtherRule(b *rtnl.Batch, p place, body netstate.Body, handle uint64) {
	message(b, unix.NFT_MSG_NEWRULE, unix.NLM_F_REPLACE, p.family)
	p.put(b)
	b.Uint64BE(unix.NFTA_RULE_HANDLE, handle)
	encodeBody(b, body, p.family)
}

// encodeNoRule removes one rule, or with handle 0 all of the chain.
func encodeNoRule(b *rtnl.Batch, p place, handle uint64) {
	message(b, unix.NFT_MSG_DELRULE, 0, p.family)
	p.put(b)
	if handle != 0 {
		b.Uint64BE(unix.NFTA_RULE_HANDLE, handle)
	}
}
