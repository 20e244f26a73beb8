package echo

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

var pairs = map[string][2]netip.Addr{
	"ipv4": {netip.MustParseAddr("172.7.21.0"), netip.MustParseAddr("172.7.24.0")},
	"ipv6": {netip.MustParseAddr("fd07:0:0:21::"), netip.MustParseAddr("fd07:0:0:24::")},
}

var sample = message{ID: 0xabcd, Seq: 0x1234, Mark: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, Sent: 0x0102030405060708}

// TestPacketsAreWhatTheyShouldBe reads what is written with another program's
// codec.
func TestPacketsAreWhatTheyShouldBe(t *testing.T) {
	for name, a := range pairs {
		for _, size := range []int{0, 84, 85, 1280, 1450, 9000} {
			b := appendPacket(nil, sample, a[0], a[1], size)
			if want := max(size, smallest); len(b) != want {
				t.Errorf("%s: %d bytes, not %d", name, len(b), want)
			}
			protocol, sum, body := protoICMP, uint32(0), b
			if a[1].Is4() {
				h, err := ipv4.ParseHeader(b)
				if err != nil {
					t.Fatal(err)
				}
				if h.TotalLen != len(b) || h.Protocol != protoICMP || h.Flags != ipv4.DontFragment || !h.Src.Equal(net.IP(a[0].AsSlice())) || !h.Dst.Equal(net.IP(a[1].AsSlice())) {
					t.Errorf("%s: %v", name, h)
				}
				if got := checksum(0, b[:h.Len]); got != 0 {
					t.Errorf("%s: header's checksum is wrong by %#x", name, got)
				}
				body = b[h.Len:]
			} else {
				h, err := ipv6.ParseHeader(b)
				if err != nil {
					t.Fatal(err)
				}
				if h.PayloadLen != len(b)-header6 || h.NextHeader != protoICMPv6 || !h.Src.Equal(net.IP(a[0].AsSlice())) || !h.Dst.Equal(net.IP(a[1].AsSlice())) {
					t.Errorf("%s: %v", name, h)
				}
				protocol, body = protoICMPv6, b[header6:]
				sum = add(add(0, b[8:40]), []byte{0, 0, byte(len(body) >> 8), byte(len(body)), 0, 0, 0, protoICMPv6})
			}
			if got := checksum(sum, body); got != 0 {
				t.Errorf("%s, %d bytes: checksum is wrong by %#x", name, size, got)
			}
			m, err := icmp.ParseMessage(protocol, body)
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := m.Body.(*icmp.Echo); !ok || e.ID != int(sample.ID) || e.Seq != int(sample.Seq) {
				t.Errorf("%s: %+v", name, m)
			}
		}
	}
}

// answered makes the reply to a request, as raw sockets get it.
func answered(a [2]netip.Addr, size int) []byte {
	b := appendPacket(nil, sample, a[0], a[1], size)
	if a[1].Is4() {
		b[header4] = reply4
		return b
	}
	b[header6] = reply6
	return b[header6:]
}

func TestRepliesReadBack(t *testing.T) {
	for name, a := range pairs {
		if m, ok := parseReply(answered(a, 84), a[1].Is6()); !ok || m != sample {
			t.Errorf("%s: %+v, %t", name, m, ok)
		}
		if _, ok := parseReply(appendPacket(nil, sample, a[0], a[1], 84), a[1].Is6()); ok {
			t.Errorf("%s: a request was taken for a reply", name)
		}
	}
}

func FuzzParseReply(f *testing.F) {
	for _, a := range pairs {
		f.Add(answered(a, 84), a[1].Is6())
	}
	f.Add([]byte{0x4f, 0}, false)
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		if m, ok := parseReply(b, v6); ok && len(b) < icmpHeader+markSize+timeSize {
			t.Errorf("%x was read as %+v", b, m)
		}
	})
}
