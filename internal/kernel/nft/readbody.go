package nft

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
)

// bodyReader turns expressions into a Body, from left to right. What has
// another form than rules of ours makes it fail.
type bodyReader struct {
	body   netstate.Body
	family uint8       // of the table, then of what the rule matches
	udp    bool        // UDP is matched
	load   *expression // what the register holds
	mask   []byte      // and through which mask
	done   bool        // a verdict was met
}

// readBody returns the rule that list is; false if rules of ours have another
// form.
func readBody(list []expression, family uint8) (netstate.Body, bool) {
	r := bodyReader{family: family}
	for i := range list {
		if list[i].odd || r.done || !r.take(&list[i]) {
			return netstate.Body{}, false
		}
	}
	return r.body, r.done
}

func (r *bodyReader) take(e *expression) bool {
	switch e.name {
	case "meta", "payload", "ct", "fib":
		r.load, r.mask = e, nil
		return !r.body.Counter
	case "bitwise":
		r.mask = e.mask
		return r.load != nil && !slices.ContainsFunc(e.xor, func(b byte) bool { return b != 0 })
	case "cmp", "lookup":
		return r.load != nil && r.match(e)
	case "counter":
		first := !r.body.Counter
		r.body.Counter = true
		return first
	}
	r.done = true
	return r.verdict(e)
}

// match takes up what is compared with the register.
func (r *bodyReader) match(e *expression) bool {
	load := r.load
	is := e.name == "cmp" && e.op == unix.NFT_CMP_EQ
	switch {
	case load.name == "meta" && is:
		return r.matchMeta(load.key, e.value)
	case load.name == "fib" && is && r.mask == nil:
		return r.matchRoute(e.value)
	case load.name == "ct" && load.original:
		return r.matchOrigDst(e)
	case load.name == "ct":
		return r.matchStatus(e)
	case load.name == "payload" && load.base == unix.NFT_PAYLOAD_NETWORK_HEADER:
		return r.matchAddr(e)
	case load.name == "payload" && load.base == unix.NFT_PAYLOAD_TRANSPORT_HEADER && is && r.udp && r.mask == nil:
		return r.matchTransport(load, e.value)
	}
	return false
}

func (r *bodyReader) matchMeta(key uint32, v []byte) bool {
	switch {
	case key == unix.NFT_META_MARK && len(v) == 4 && len(r.mask) == 4:
		r.body.Mask, r.body.Mark = binary.NativeEndian.Uint32(r.mask), binary.NativeEndian.Uint32(v)
	case key == unix.NFT_META_NFPROTO && len(v) == 1 && r.family == unix.NFPROTO_INET && r.mask == nil:
		r.family = v[0]
	case key == unix.NFT_META_L4PROTO && len(v) == 1 && v[0] == protoUDP && r.mask == nil:
		r.udp = true
	case key == unix.NFT_META_L4PROTO && len(v) == 1 && !r.udp && r.body.Proto == 0 && r.mask == nil:
		r.body.Proto = v[0]
	default:
		return false
	}
	return true
}

// matchStatus reads the match of one bit of a connection's status.
func (r *bodyReader) matchStatus(e *expression) bool {
	r.body.DNAT = true
	return r.load.key == unix.NFT_CT_STATUS && bytes.Equal(r.mask, native32(statusDNAT)) &&
		e.name == "cmp" && e.op == unix.NFT_CMP_NEQ && bytes.Equal(e.value, native32(0))
}

// matchRoute reads the match of destinations to which no route leads.
func (r *bodyReader) matchRoute(v []byte) bool {
	first := !r.body.Unrouted
	r.body.Unrouted = true
	return first && r.load.result == unix.NFT_FIB_RESULT_OIF && r.load.flags == unix.NFTA_FIB_F_DADDR && bytes.Equal(v, native32(0))
}

// matchOrigDst reads the match of a connection's original destination.
func (r *bodyReader) matchOrigDst(e *expression) bool {
	size := map[uint32]uint32{unix.NFT_CT_DST_IP: 4, unix.NFT_CT_DST_IP6: 16}[r.load.key]
	if size == 0 || e.name != "cmp" || e.op > unix.NFT_CMP_NEQ || !r.body.OrigDst.Any() {
		return false
	}
	compared := *r.load
	compared.size = uint32(len(e.value)) // without a mask, whole bytes alone
	prefix, ok := (&bodyReader{load: &compared, mask: r.mask}).prefix(e.value, size)
	r.body.OrigDst = netstate.From(prefix)
	r.body.OrigDst.Not = e.op == unix.NFT_CMP_NEQ
	return ok
}

func (r *bodyReader) matchTransport(load *expression, v []byte) bool {
	switch {
	case load.offset == udpDport && load.size == 2 && len(v) == 2:
		r.body.UDPPort = binary.BigEndian.Uint16(v)
	case load.offset == vxlanVNI && load.size == 3 && len(v) == 3:
		r.body.VNI = uint32(v[0])<<16 | uint32(v[1])<<8 | uint32(v[2])
	default:
		return false
	}
	return true
}

// side returns which side the register holds, and its family; nil if none.
func (r *bodyReader) side() (s *netstate.Side, v6 bool, size uint32) {
	switch {
	case r.family == unix.NFPROTO_IPV4 && r.load.offset == srcV4:
		return &r.body.Src, false, 4
	case r.family == unix.NFPROTO_IPV4 && r.load.offset == dstV4:
		return &r.body.Dst, false, 4
	case r.family == unix.NFPROTO_IPV6 && r.load.offset == srcV6:
		return &r.body.Src, true, 16
	case r.family == unix.NFPROTO_IPV6 && r.load.offset == dstV6:
		return &r.body.Dst, true, 16
	}
	return nil, false, 0
}

func (r *bodyReader) matchAddr(e *expression) bool {
	s, v6, size := r.side()
	if s == nil || !s.Any() {
		return false
	}
	if e.name == "lookup" {
		*s = netstate.FromSet(e.set, v6)
		s.Not = e.flags&invertedLookup != 0
		return r.load.size == size && r.mask == nil
	}
	prefix, ok := r.prefix(e.value, size)
	*s = netstate.From(prefix)
	s.Not = e.op == unix.NFT_CMP_NEQ
	return ok && e.op <= unix.NFT_CMP_NEQ
}

// prefix returns the prefix that the register is compared with.
func (r *bodyReader) prefix(v []byte, size uint32) (netip.Prefix, bool) {
	bits := 8 * int(r.load.size)
	if r.mask != nil {
		for bits = 0; bits < 8*len(r.mask) && r.mask[bits/8]&(0x80>>(bits%8)) != 0; bits++ {
		}
		if r.load.size != size || len(r.mask) != int(size) || !bytes.Equal(r.mask, maskOf(bits, len(r.mask))) {
			return netip.Prefix{}, false
		}
	}
	if len(v) > int(size) || len(v) != int(r.load.size) {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(append(slices.Clone(v), make([]byte, int(size)-len(v))...))
	p := netip.PrefixFrom(addr, bits)
	return p, ok && p == p.Masked()
}

func (r *bodyReader) verdict(e *expression) bool {
	switch {
	case e.name == "immediate" && e.code == verdictAccept:
		r.body.Verdict = netstate.Accept
	case e.name == "immediate" && e.code == verdictDrop:
		r.body.Verdict = netstate.Drop
	case e.name == "immediate" && e.code == verdictReturn:
		r.body.Verdict = netstate.Return
	case e.name == "masq" && e.flags == 0:
		r.body.Verdict = netstate.Masquerade
	case e.name == "masq" && e.flags == fullyRandom:
		r.body.Verdict = netstate.MasqueradeRandom
	case e.name == "nat" && e.kind == natSource:
		return r.keepsSource(e.family)
	default:
		return false
	}
	return true
}

func (r *bodyReader) keepsSource(family uint32) bool {
	r.body.Verdict = netstate.KeepSource
	if r.load == nil || r.load.name != "payload" || r.load.base != unix.NFT_PAYLOAD_NETWORK_HEADER || r.mask != nil {
		return false
	}
	src, v6, size := r.side()
	return src == &r.body.Src && r.load.size == size && uint32(r.family) == family && r.body.V6() == v6
}
