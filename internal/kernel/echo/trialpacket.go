package echo

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
)

// Numbers of protocols, ICMP types and TCP flags; RFC 768, 792, 4443, 9293.
const (
	protoTCP = 6
	protoUDP = 17

	unreachable4, unreachable6 = 3, 1

	flagSYN, flagRST = 2, 4
)

const (
	// firstPort is where ports begin to which trials go: those of traceroute, on
	// which nobody listens. A trial's id is added.
	firstPort = 33434

	// segment is the size of a UDP datagram or TCP segment that is tried.
	segment = 40

	ethernetHeader = 14
	virtioHeader   = 10 // struct virtio_net_hdr of linux/virtio_net.h
)

// appendTrial appends a trial as a whole frame of a device with the address mac,
// behind the header that tells who completes its checksum.
func appendTrial(b []byte, t Trial, mac netstate.MAC, port uint16) []byte {
	protocol, place := byte(protoUDP), uint16(6)
	if t.TCP {
		protocol, place = protoTCP, 16
	}
	head := headerOf(t.Dest)
	b = appendVirtio(b, t.Offload, uint16(ethernetHeader+head), place)
	b = append(append(b, t.MAC[:]...), mac[:]...)
	b = binary.BigEndian.AppendUint16(b, protocolTo(t.Dest))
	b = appendHeader(b, protocol, t.ID, t.Source, t.Dest, head+segment)
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, port)
	b = binary.BigEndian.AppendUint16(b, firstPort+t.ID)
	if t.TCP {
		b = appendSYN(b, t.ID)
	} else {
		b = binary.BigEndian.AppendUint16(b, segment)
		b = append(b, 0, 0)
		b = append(b, "weft tries the checksum offload."...)
	}
	body := b[start:]
	pseudo := add(add(0, t.Source.AsSlice()), t.Dest.AsSlice()) + segment + uint32(protocol)
	sum := checksum(pseudo, body)
	switch {
	case t.Offload:
		sum = ^checksum(pseudo, nil) // to which the rest is added
	case sum == 0:
		sum = 0xffff // the same number; 0 is none of UDP's
	}
	binary.BigEndian.PutUint16(body[place:], sum)
	return b
}

// appendVirtio appends what tells the kernel that the checksum of what begins at
// start is to be completed, and put place bytes further.
func appendVirtio(b []byte, offload bool, start, place uint16) []byte {
	if !offload {
		return append(b, make([]byte, virtioHeader)...)
	}
	b = append(b, unix.VIRTIO_NET_HDR_F_NEEDS_CSUM, 0, 0, 0, 0, 0)
	b = binary.NativeEndian.AppendUint16(b, start)
	return binary.NativeEndian.AppendUint16(b, place)
}

// appendSYN appends what follows the ports of the first segment of a connection.
func appendSYN(b []byte, seq uint16) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(seq))
	b = append(b, 0, 0, 0, 0, segment/4<<4, flagSYN, 4, 0, 0, 0, 0, 0)
	b = append(b, 2, 4, 5, 0) // the largest segment: 1280 bytes
	for range segment - 24 {  // no operation
		b = append(b, 1)
	}
	return b
}

// parseRefusal reads an IP packet that refuses a trial from a port.
func parseRefusal(b []byte, port uint16) (Refusal, bool) {
	h, ok := parseHeader(b)
	if !ok {
		return Refusal{}, false
	}
	r := Refusal{From: h.src}
	switch {
	case h.protocol == protoTCP && len(h.rest) >= 14 && h.rest[13]&(flagRST|flagSYN) != 0:
		r.TCP = true
		return r, r.between(h.rest[2:], h.rest, port)
	case h.protocol == protoICMP && len(h.rest) > icmpHeader && h.rest[0] == unreachable4,
		h.protocol == protoICMPv6 && len(h.rest) > icmpHeader && h.rest[0] == unreachable6:
		of, ok := parseHeader(h.rest[icmpHeader:]) // the packet that was refused
		if !ok || of.src != h.dst || of.protocol != protoUDP && of.protocol != protoTCP {
			return Refusal{}, false
		}
		r.TCP = of.protocol == protoTCP
		return r, len(of.rest) >= 4 && r.between(of.rest, of.rest[2:], port)
	}
	return Refusal{}, false
}

// between takes the id out of the port that was tried, and reports whether both
// ports are those of a trial.
func (r *Refusal) between(source, dest []byte, port uint16) bool {
	r.ID = binary.BigEndian.Uint16(dest) - firstPort
	return binary.BigEndian.Uint16(source) == port && r.ID < TrialIDs
}

// ipHeader is what is read of a packet's IP header, and what follows that.
type ipHeader struct {
	src, dst netip.Addr
	protocol byte
	rest     []byte
}

func parseHeader(b []byte) (h ipHeader, ok bool) {
	switch {
	case len(b) >= header6 && b[0]>>4 == 6:
		return ipHeader{netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])), b[6], b[header6:]}, true
	case len(b) >= header4 && b[0]>>4 == 4:
		return ipHeader{netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), b[9], body(b, false)}, true
	}
	return ipHeader{}, false
}
