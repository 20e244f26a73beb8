package fastpath

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netstate"
)

// frame is an Ethernet frame around an IP packet, which a test changes where it matters.
type frame struct {
	dst, src netstate.MAC
	vlan     bool
	ip       []byte
}

func (f frame) bytes() []byte {
	proto := []byte{0x08, 0x00}
	if f.ip[0]>>4 == 6 {
		proto = []byte{0x86, 0xdd}
	}
	return slices.Concat(f.dst[:], f.src[:], proto, f.ip)
}

// header4 is an IPv4 packet. TTL 64, no flags.
func header4(src, dst string, protocol byte, payload []byte) []byte {
	h := make([]byte, 20, 20+len(payload))
	h[0], h[8], h[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
	s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	copy(h[12:], s[:])
	copy(h[16:], d[:])
	return resum(append(h, payload...))
}

// resum sets the checksum of an IPv4 header after changes.
func resum(ip []byte) []byte {
	ip[10], ip[11] = 0, 0
	sum := uint32(0)
	for i := 0; i < int(ip[0]&15)*4; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum))
	return ip
}

// header6 is an IPv6 packet. Hop limit 64.
func header6(src, dst string, next byte, payload []byte) []byte {
	h := make([]byte, 40, 40+len(payload))
	h[0], h[6], h[7] = 0x60, next, 64
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	s, d := netip.MustParseAddr(src).As16(), netip.MustParseAddr(dst).As16()
	copy(h[8:], s[:])
	copy(h[24:], d[:])
	return append(h, payload...)
}

// datagram is a UDP datagram with n bytes of payload, and no checksum.
func datagram(sport, dport uint16, payload []byte) []byte {
	h := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(h[0:], sport)
	binary.BigEndian.PutUint16(h[2:], dport)
	binary.BigEndian.PutUint16(h[4:], uint16(8+len(payload)))
	return append(h, payload...)
}

// segment is a TCP segment without options.
func segment(sport, dport uint16, flags byte, payload []byte) []byte {
	h := make([]byte, 20, 20+len(payload))
	binary.BigEndian.PutUint16(h[0:], sport)
	binary.BigEndian.PutUint16(h[2:], dport)
	h[12], h[13] = 5<<4, flags
	return append(h, payload...)
}

// tunnelled is the VXLAN header and a frame.
func tunnelled(vni uint32, f frame) []byte {
	h := make([]byte, 8)
	h[0] = 8
	binary.BigEndian.PutUint32(h[4:], vni<<8)
	return append(h, f.bytes()...)
}

// hopped is an IP packet behind one more router.
func hopped(ip []byte) []byte {
	out := slices.Clone(ip)
	if out[0]>>4 == 6 {
		out[7]--
		return out
	}
	out[8]--
	return resum(out)
}

func count(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(i)
	}
	return out
}
