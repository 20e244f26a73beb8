package lab

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Numbers of the protocols that ParseFrame reads (IEEE 802, IANA).
const (
	etherIPv4   = 0x0800
	etherIPv6   = 0x86dd
	protoICMP   = 1
	protoUDP    = 17
	protoIPIP   = 4
	protoICMPv6 = 58

	ethernetSize = 14
	udpSize      = 8
	vxlanSize    = 8 // RFC 7348 section 5
	vxlanHasVNI  = 0x08
)

// Frame is what the lab reads of an Ethernet frame. For a VXLAN packet the fields describe the
// inner frame, which the containers see.
type Frame struct {
	VXLAN    bool // it travelled in VXLAN
	IPIP     bool // it travelled in IPv4 in IPv4
	Cipher   bool // it is WireGuard's, with data; nothing else of what is inside is known
	Src, Dst netip.Addr
	Protocol uint8  // of the IP header
	Request  bool   // an ICMP or ICMPv6 echo request
	EchoID   uint16 // if Request
}

// ParseFrame reads an Ethernet frame, one level into IPv4 in IPv4, or into VXLAN when it is UDP to one of vxlanPorts. Frames that
// are truncated, and all that is not IP, are not ok. IPv6 extension headers are not followed.
func ParseFrame(b []byte, vxlanPorts ...uint16) (f Frame, ok bool) {
	f, payload, ok := parseIP(b)
	if !ok {
		return Frame{}, false
	}
	if f.Protocol == protoUDP && isCipher(payload) {
		f.Cipher = true
		return f, true
	}
	if f.Protocol == protoUDP {
		if inner, ok := vxlanInner(payload, vxlanPorts); ok {
			f, payload, ok = parseIP(inner)
			if !ok {
				return Frame{}, false
			}
			f.VXLAN = true
		}
	}
	if f.Protocol == protoIPIP {
		if f, payload, ok = parsePacket(etherIPv4, payload); !ok {
			return Frame{}, false
		}
		f.IPIP = true
	}
	f.Request, f.EchoID = parseEcho(f.Protocol, payload)
	return f, true
}

// WireGuardPorts are the UDP ports that the lab's networks use for WireGuard.
var WireGuardPorts = []uint16{51820, 51821}

// isCipher reports whether a UDP datagram is one of WireGuard's with data: message type 4
// and three zero bytes (WireGuard, section 5.4.6), more than the keepalive's 32 bytes.
func isCipher(udp []byte) bool {
	const data, keepalive = 4, 32
	return len(udp) > udpSize+keepalive && slices.Contains(WireGuardPorts, binary.BigEndian.Uint16(udp[2:])) &&
		binary.LittleEndian.Uint32(udp[udpSize:]) == data
}

// parseIP reads the Ethernet and IP headers and returns what follows them.
func parseIP(b []byte) (f Frame, payload []byte, ok bool) {
	if len(b) < ethernetSize {
		return Frame{}, nil, false
	}
	return parsePacket(binary.BigEndian.Uint16(b[12:]), b[ethernetSize:])
}

// parsePacket reads the IP header of a packet of an EtherType and returns what follows it.
func parsePacket(kind uint16, b []byte) (f Frame, payload []byte, ok bool) {
	switch {
	case kind == etherIPv4 && len(b) >= 20:
		size := int(b[0]&0x0f) * 4
		if size < 20 || size > len(b) {
			return Frame{}, nil, false
		}
		return Frame{Src: addrOf(b[12:16]), Dst: addrOf(b[16:20]), Protocol: b[9]}, b[size:], true
	case kind == etherIPv6 && len(b) >= 40:
		return Frame{Src: addrOf(b[8:24]), Dst: addrOf(b[24:40]), Protocol: b[6]}, b[40:], true
	}
	return Frame{}, nil, false
}

func addrOf(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}

// vxlanInner returns the frame inside a UDP datagram to one of ports.
func vxlanInner(udp []byte, ports []uint16) ([]byte, bool) {
	if len(udp) < udpSize+vxlanSize || !slices.Contains(ports, binary.BigEndian.Uint16(udp[2:])) {
		return nil, false
	}
	if udp[udpSize]&vxlanHasVNI == 0 {
		return nil, false
	}
	return udp[udpSize+vxlanSize:], true
}

func parseEcho(protocol uint8, b []byte) (request bool, id uint16) {
	const echoRequest, echoRequestV6 = 8, 128
	if len(b) < 8 {
		return false, 0
	}
	if (protocol == protoICMP && b[0] == echoRequest) || (protocol == protoICMPv6 && b[0] == echoRequestV6) {
		return true, binary.BigEndian.Uint16(b[4:])
	}
	return false, 0
}
