package nft

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// Verdict codes (linux/netfilter.h, nf_tables.h).
const (
	verdictDrop   = 0
	verdictAccept = 1
	verdictJump   = -3
	verdictGoto   = -4
	verdictReturn = -5
)

// Where fields stand in their headers, in bytes.
const (
	srcV4, dstV4 = 12, 16
	srcV6, dstV6 = 8, 24
	udpDport     = 2
	vxlanVNI     = 12 // behind the UDP header (8), VXLAN flags and reserved (4)
)

const (
	reg            = unix.NFT_REG_1 // the one register that rules of ours use
	fullyRandom    = 1 << 4         // NF_NAT_RANGE_PROTO_RANDOM_FULLY
	natSource      = unix.NFT_NAT_SNAT
	protoUDP       = unix.IPPROTO_UDP
	invertedLookup = unix.NFT_LOOKUP_F_INV
	statusDNAT     = 1 << 5 // IPS_DST_NAT
	ctOriginal     = 0      // IP_CT_DIR_ORIGINAL
)

// exprs puts the expressions of a rule.
type exprs struct{ b *rtnl.Batch }

// encodeBody puts the expressions of a rule in a table of the given family.
func encodeBody(b *rtnl.Batch, body netstate.Body, family uint8) {
	list := b.Nest(unix.NFTA_RULE_EXPRESSIONS)
	e := exprs{b}
	if body.Mask != 0 {
		e.meta(unix.NFT_META_MARK)
		e.mask(native32(body.Mask))
		e.cmp(unix.NFT_CMP_EQ, native32(body.Mark))
	}
	if family == unix.NFPROTO_INET && (!body.Src.Any() || !body.Dst.Any() || body.Verdict == netstate.KeepSource) {
		e.meta(unix.NFT_META_NFPROTO)
		e.cmp(unix.NFT_CMP_EQ, []byte{protoOf(body)})
	}
	e.side(body.Src, srcV4, srcV6)
	e.side(body.Dst, dstV4, dstV6)
	if body.DNAT {
		e.ct(unix.NFT_CT_STATUS)
		e.mask(native32(statusDNAT))
		e.cmp(unix.NFT_CMP_NEQ, native32(0))
	}
	e.origDst(body.OrigDst)
	if body.Unrouted {
		e.fib()
		e.cmp(unix.NFT_CMP_EQ, native32(0))
	}
	if body.UDPPort != 0 {
		e.meta(unix.NFT_META_L4PROTO)
		e.cmp(unix.NFT_CMP_EQ, []byte{protoUDP})
		e.payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, udpDport, 2)
		e.cmp(unix.NFT_CMP_EQ, binary.BigEndian.AppendUint16(nil, body.UDPPort))
	}
	if body.Proto != 0 {
		e.meta(unix.NFT_META_L4PROTO)
		e.cmp(unix.NFT_CMP_EQ, []byte{body.Proto})
	}
	if body.VNI != 0 {
		e.payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, vxlanVNI, 3)
		e.cmp(unix.NFT_CMP_EQ, binary.BigEndian.AppendUint32(nil, body.VNI)[1:])
	}
	if body.Counter {
		e.end(e.begin("counter"))
	}
	e.verdict(body)
	b.End(list)
	if body.Comment != "" {
		b.Bytes(unix.NFTA_RULE_USERDATA, append([]byte{udataComment, byte(len(body.Comment) + 1)}, body.Comment+"\x00"...)...)
	}
}

func protoOf(body netstate.Body) uint8 {
	if body.V6() {
		return unix.NFPROTO_IPV6
	}
	return unix.NFPROTO_IPV4
}

type open struct{ element, data int }

func (e exprs) begin(name string) open {
	element := e.b.Nest(unix.NFTA_LIST_ELEM)
	e.b.String(unix.NFTA_EXPR_NAME, name)
	return open{element, e.b.Nest(unix.NFTA_EXPR_DATA)}
}

func (e exprs) end(o open) {
	e.b.End(o.data)
	e.b.End(o.element)
}

func (e exprs) value(attr uint16, v []byte) {
	nest := e.b.Nest(attr)
	e.b.Bytes(unix.NFTA_DATA_VALUE, v...)
	e.b.End(nest)
}

func (e exprs) meta(key uint32) {
	o := e.begin("meta")
	e.b.Uint32BE(unix.NFTA_META_KEY, key)
	e.b.Uint32BE(unix.NFTA_META_DREG, reg)
	e.end(o)
}

func (e exprs) ct(key uint32) {
	o := e.begin("ct")
	e.b.Uint32BE(unix.NFTA_CT_KEY, key)
	e.b.Uint32BE(unix.NFTA_CT_DREG, reg)
	e.end(o)
}

// fib loads the index of the interface to which the route to the packet's destination
// leads, 0 if none does.
func (e exprs) fib() {
	o := e.begin("fib")
	e.b.Uint32BE(unix.NFTA_FIB_DREG, reg)
	e.b.Uint32BE(unix.NFTA_FIB_RESULT, unix.NFT_FIB_RESULT_OIF)
	e.b.Uint32BE(unix.NFTA_FIB_FLAGS, unix.NFTA_FIB_F_DADDR)
	e.end(o)
}

// origDst matches the destination of a connection in its original direction.
func (e exprs) origDst(s netstate.Side) {
	if s.Any() {
		return
	}
	key := uint32(unix.NFT_CT_DST_IP)
	if s.V6 {
		key = unix.NFT_CT_DST_IP6
	}
	o := e.begin("ct")
	e.b.Uint32BE(unix.NFTA_CT_KEY, key)
	e.b.Uint32BE(unix.NFTA_CT_DREG, reg)
	e.b.Bytes(unix.NFTA_CT_DIRECTION, ctOriginal)
	e.end(o)
	addr, bits := s.Prefix.Addr().AsSlice(), s.Prefix.Bits()
	if bits > 0 && bits%8 == 0 { // as side
		addr = addr[:bits/8]
	} else {
		e.mask(maskOf(bits, len(addr)))
	}
	e.cmp(opOf(s), addr)
}

// opOf is how an address is compared with s.
func opOf(s netstate.Side) uint32 {
	if s.Not {
		return unix.NFT_CMP_NEQ
	}
	return unix.NFT_CMP_EQ
}

func (e exprs) payload(base, offset, size uint32) {
	o := e.begin("payload")
	e.b.Uint32BE(unix.NFTA_PAYLOAD_DREG, reg)
	e.b.Uint32BE(unix.NFTA_PAYLOAD_BASE, base)
	e.b.Uint32BE(unix.NFTA_PAYLOAD_OFFSET, offset)
	e.b.Uint32BE(unix.NFTA_PAYLOAD_LEN, size)
	e.end(o)
}

func (e exprs) mask(mask []byte) {
	o := e.begin("bitwise")
	e.b.Uint32BE(unix.NFTA_BITWISE_SREG, reg)
	e.b.Uint32BE(unix.NFTA_BITWISE_DREG, reg)
	e.b.Uint32BE(unix.NFTA_BITWISE_LEN, uint32(len(mask)))
	e.value(unix.NFTA_BITWISE_MASK, mask)
	e.value(unix.NFTA_BITWISE_XOR, make([]byte, len(mask)))
	e.end(o)
}

func (e exprs) cmp(op uint32, v []byte) {
	o := e.begin("cmp")
	e.b.Uint32BE(unix.NFTA_CMP_SREG, reg)
	e.b.Uint32BE(unix.NFTA_CMP_OP, op)
	e.value(unix.NFTA_CMP_DATA, v)
	e.end(o)
}

// side matches an address that stands at one offset or the other.
func (e exprs) side(s netstate.Side, v4, v6 uint32) {
	if s.Any() {
		return
	}
	offset, size := v4, uint32(4)
	if s.V6 {
		offset, size = v6, 16
	}
	if s.Set != "" {
		e.payload(unix.NFT_PAYLOAD_NETWORK_HEADER, offset, size)
		e.lookup(s.Set, s.Not)
		return
	}
	op := opOf(s)
	addr, bits := s.Prefix.Addr().AsSlice(), s.Prefix.Bits()
	if bits > 0 && bits%8 == 0 { // whole bytes need no mask; nft(8) and iptables write it so, too
		e.payload(unix.NFT_PAYLOAD_NETWORK_HEADER, offset, uint32(bits/8))
		e.cmp(op, addr[:bits/8])
		return
	}
	e.payload(unix.NFT_PAYLOAD_NETWORK_HEADER, offset, size)
	e.mask(maskOf(bits, len(addr)))
	e.cmp(op, addr)
}

func (e exprs) lookup(set string, not bool) {
	o := e.begin("lookup")
	e.b.String(unix.NFTA_LOOKUP_SET, set)
	e.b.Uint32BE(unix.NFTA_LOOKUP_SREG, reg)
	if not {
		e.b.Uint32BE(unix.NFTA_LOOKUP_FLAGS, invertedLookup)
	}
	e.end(o)
}

func (e exprs) verdict(body netstate.Body) {
	switch body.Verdict {
	case netstate.Accept:
		e.immediate(verdictAccept)
	case netstate.Drop:
		e.immediate(verdictDrop)
	case netstate.Return:
		e.immediate(verdictReturn)
	case netstate.Masquerade:
		e.end(e.begin("masq"))
	case netstate.MasqueradeRandom:
		o := e.begin("masq")
		e.b.Uint32BE(unix.NFTA_MASQ_FLAGS, fullyRandom)
		e.end(o)
	case netstate.KeepSource:
		e.keepSource(body.V6())
	}
}

func (e exprs) immediate(code int32) {
	o := e.begin("immediate")
	e.b.Uint32BE(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT)
	data := e.b.Nest(unix.NFTA_IMMEDIATE_DATA)
	verdict := e.b.Nest(unix.NFTA_DATA_VERDICT)
	e.b.Uint32BE(unix.NFTA_VERDICT_CODE, uint32(code))
	e.b.End(verdict)
	e.b.End(data)
	e.end(o)
}

func (e exprs) keepSource(v6 bool) {
	offset, size, family := uint32(srcV4), uint32(4), uint32(unix.NFPROTO_IPV4)
	if v6 {
		offset, size, family = srcV6, 16, unix.NFPROTO_IPV6
	}
	e.payload(unix.NFT_PAYLOAD_NETWORK_HEADER, offset, size)
	o := e.begin("nat")
	e.b.Uint32BE(unix.NFTA_NAT_TYPE, natSource)
	e.b.Uint32BE(unix.NFTA_NAT_FAMILY, family)
	e.b.Uint32BE(unix.NFTA_NAT_REG_ADDR_MIN, reg)
	e.end(o)
}

// maskOf returns a network mask of size bytes.
func maskOf(bits, size int) []byte {
	all := netip.AddrFrom16([16]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	p, _ := all.Prefix(bits)
	return p.Addr().AsSlice()[:size]
}

func native32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
