package echo

import (
	"encoding/binary"
	"net/netip"
)

// Sizes of headers in bytes, and numbers of protocols and message types; RFC
// 791, 792, 8200, 4443.
const (
	header4    = 20
	header6    = 40
	icmpHeader = 8

	protoICMP   = 1
	protoICMPv6 = 58

	request4, reply4 = 8, 0
	request6, reply6 = 128, 129

	hopLimit     = 64
	dontFragment = 0x4000
)

// smallest is the least size of a packet of either family, with room for a
// mark, a time and a word.
const smallest = header6 + icmpHeader + markSize + timeSize + len(reflectWord)

const (
	markSize = 8
	timeSize = 8

	// reflectWord stands behind the time in a request that is to be answered by the
	// device that it comes by.
	reflectWord = "weft"
)

// message is the part of a request and its reply that belongs to ICMP.
type message struct {
	ID, Seq uint16
	Mark    [markSize]byte // of the sender, so that nobody else's reply counts
	Sent    int64          // by the sender's clock, in nanoseconds
	Reflect bool           // a request: see reflectWord
}

// headerOf is the size of the IP header to dst.
func headerOf(dst netip.Addr) int {
	if dst.Is4() {
		return header4
	}
	return header6
}

// appendICMP appends m as a request from src to dst that makes an IP packet of
// size bytes.
func appendICMP(b []byte, m message, src, dst netip.Addr, size int) []byte {
	size = max(size, smallest) - headerOf(dst)
	start := len(b)
	b = append(b, request6, 0, 0, 0)
	if dst.Is4() {
		b[start] = request4
	}
	b = binary.BigEndian.AppendUint16(b, m.ID)
	b = binary.BigEndian.AppendUint16(b, m.Seq)
	b = append(b, m.Mark[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(m.Sent))
	if m.Reflect {
		b = append(b, reflectWord...)
	}
	b = append(b, make([]byte, size-(len(b)-start))...)
	sumICMP(b[start:], src, dst)
	return b
}

// sumICMP writes the checksum of an ICMP message, which is zero so far.
func sumICMP(b []byte, src, dst netip.Addr) {
	sum := uint32(0)
	if dst.Is6() { // RFC 4443 sums addresses, length and protocol too
		sum = add(add(0, src.AsSlice()), dst.AsSlice()) + uint32(len(b)) + protoICMPv6
	}
	binary.BigEndian.PutUint16(b[2:], checksum(sum, b))
}

// appendReply appends the IP packet from src to dst with the reply to a request.
func appendReply(b []byte, request []byte, src, dst netip.Addr) []byte {
	b = appendHeader(b, icmpOf(dst), binary.BigEndian.Uint16(request[6:]), src, dst, headerOf(dst)+len(request))
	start := len(b)
	b = append(b, request...)
	reply := b[start:]
	reply[0], reply[2], reply[3] = reply6, 0, 0
	if dst.Is4() {
		reply[0] = reply4
	}
	sumICMP(reply, src, dst)
	return b
}

// appendPacket appends m as a whole IP packet.
func appendPacket(b []byte, m message, src, dst netip.Addr, size int) []byte {
	size = max(size, smallest)
	return appendICMP(appendHeader(b, icmpOf(dst), m.Seq, src, dst, size), m, src, dst, size)
}

// icmpOf is the protocol of ICMP to dst.
func icmpOf(dst netip.Addr) byte {
	if dst.Is6() {
		return protoICMPv6
	}
	return protoICMP
}

// appendHeader appends the header of an IP packet of size bytes that is not to be
// fragmented.
func appendHeader(b []byte, protocol byte, id uint16, src, dst netip.Addr, size int) []byte {
	if dst.Is6() {
		b = append(b, 6<<4, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(size-header6))
		b = append(b, protocol, hopLimit)
	} else {
		start := len(b)
		b = append(b, 4<<4|header4/4, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(size))
		b = binary.BigEndian.AppendUint16(b, id)
		b = binary.BigEndian.AppendUint16(b, dontFragment)
		b = append(b, hopLimit, protocol, 0, 0)
		sum := add(add(add(0, b[start:]), src.AsSlice()), dst.AsSlice())
		binary.BigEndian.PutUint16(b[start+10:], checksum(sum, nil))
	}
	return append(append(b, src.AsSlice()...), dst.AsSlice()...)
}

// parseReply reads an echo reply: with its IP header if it is IPv4's, as raw
// sockets get it.
func parseReply(b []byte, v6 bool) (message, bool) {
	want := byte(reply6)
	if !v6 {
		want = reply4
	}
	b = body(b, v6)
	if len(b) < icmpHeader+markSize+timeSize || b[0] != want || b[1] != 0 {
		return message{}, false
	}
	m := message{ID: binary.BigEndian.Uint16(b[4:]), Seq: binary.BigEndian.Uint16(b[6:])}
	copy(m.Mark[:], b[icmpHeader:])
	m.Sent = int64(binary.BigEndian.Uint64(b[icmpHeader+markSize:]))
	return m, true
}

// body returns the ICMP message of what a raw socket received; none if it is no
// packet.
func body(b []byte, v6 bool) []byte {
	if v6 {
		return b
	}
	if len(b) < header4 || b[0]>>4 != 4 {
		return nil
	}
	head := int(b[0]&15) * 4
	if head < header4 || len(b) < head {
		return nil
	}
	return b[head:]
}

// add adds the words of b to a checksum under way.
func add(sum uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

// checksum ends a checksum with the words of b; RFC 1071. Packets are too short
// for the sum to overflow.
func checksum(sum uint32, b []byte) uint16 {
	sum = add(sum, b)
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
