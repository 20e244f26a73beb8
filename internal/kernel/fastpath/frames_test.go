package fastpath

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/test/twohosts"
)

// packet is one that the first pod sends, down to its last byte.
type packet struct {
	name    string
	data    []byte
	arrives int    // at the second pod: in so many pieces
	answer  string // what comes back: "" for nothing
}

// Answers to packets.
const (
	echoed      = "0:0"
	unreachable = "3:"
	tooBig      = "3:4"
	expired     = "11:0"
	reset       = "reset"
)

// header4With is an IPv4 header in front of a payload, with options and flags.
func header4With(proto, ttl, tos byte, id, flags uint16, options, payload []byte) []byte {
	h := make([]byte, 20+len(options))
	h[0], h[1], h[8], h[9] = 0x40|byte(len(h)/4), tos, ttl, proto
	binary.BigEndian.PutUint16(h[2:], uint16(len(h)+len(payload)))
	binary.BigEndian.PutUint16(h[4:], id)
	binary.BigEndian.PutUint16(h[6:], flags)
	copy(h[12:], []byte{10, 5, 1, 7})
	copy(h[16:], []byte{10, 5, 2, 7})
	copy(h[20:], options)
	binary.BigEndian.PutUint16(h[10:], ^fold(sum16(h)))
	return append(h, payload...)
}

func sum16(b []byte) (sum uint32) {
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	return sum
}

func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// withSum completes a transport header's checksum, which is at an offset.
func withSum(proto byte, at int, segment []byte) []byte {
	pseudo := []byte{10, 5, 1, 7, 10, 5, 2, 7, 0, proto, byte(len(segment) >> 8), byte(len(segment))}
	if proto == unix.IPPROTO_ICMP {
		pseudo = nil
	}
	binary.BigEndian.PutUint16(segment[at:], ^fold(sum16(pseudo)+sum16(segment)))
	return segment
}

// udp is a datagram from a port that stands for the packet to a port nobody listens at.
func udp(port uint16, size int, sum bool) []byte {
	d := make([]byte, 8+size)
	binary.BigEndian.PutUint16(d, port)
	binary.BigEndian.PutUint16(d[2:], 9)
	binary.BigEndian.PutUint16(d[4:], uint16(len(d)))
	copy(d[8:], count(size))
	if !sum {
		return d
	}
	return withSum(unix.IPPROTO_UDP, 6, d)
}

func tcpSegment(port uint16, flags byte, size int) []byte {
	d := make([]byte, 20+size)
	binary.BigEndian.PutUint16(d, port)
	binary.BigEndian.PutUint16(d[2:], 9)
	binary.BigEndian.PutUint32(d[4:], 1000)
	binary.BigEndian.PutUint32(d[8:], 2000)
	d[12], d[13], d[14] = 5<<4, flags, 1
	copy(d[20:], count(size))
	return withSum(unix.IPPROTO_TCP, 16, d)
}

func echo(id uint16, size int) []byte {
	d := make([]byte, 8+size)
	d[0] = 8
	binary.BigEndian.PutUint16(d[4:], id)
	copy(d[8:], count(size))
	return withSum(unix.IPPROTO_ICMP, 2, d)
}

const dontFragment, moreFragments = 0x4000, 0x2000

// packets are what the first pod sends by a path of an MTU: each kind, and one byte
// around each edge.
func packets(mtu int) (all []packet) {
	var id uint16
	add := func(name string, proto, ttl, tos byte, flags uint16, options, payload []byte, arrives bool, answer string) {
		id++
		p := packet{name: name, data: header4With(proto, ttl, tos, id, flags, options, payload), answer: answer}
		switch {
		case !arrives:
		case len(p.data) <= mtu:
			p.arrives = 1
		case flags == dontFragment:
			p.answer = tooBig
		default:
			p.arrives = 2
		}
		all = append(all, p)
	}
	next := func() uint16 { return 20000 + id } // a flow of its own for each
	const udpProto, tcpProto, icmpProto = unix.IPPROTO_UDP, unix.IPPROTO_TCP, unix.IPPROTO_ICMP
	for _, size := range []int{0, 1, 2, 3, 17, 18, 19, 512, mtu - 29, mtu - 28, 1420, 1421, 1422} {
		add(fmt.Sprintf("UDP of %d bytes", size), udpProto, 64, 0, 0, nil, udp(next(), size, true), true, unreachable)
		add(fmt.Sprintf("UDP of %d bytes, DF", size), udpProto, 64, 0, dontFragment, nil, udp(next(), size, true), true, unreachable)
		add(fmt.Sprintf("UDP of %d bytes without a checksum", size), udpProto, 64, 0, 0, nil, udp(next(), size, false), true, unreachable)
	}
	for _, size := range []int{0, 1, mtu - 41, mtu - 40, 1409, 1410} {
		add(fmt.Sprintf("TCP of %d bytes", size), tcpProto, 64, 0, dontFragment, nil, tcpSegment(next(), 0x18, size), true, reset)
		add(fmt.Sprintf("ICMP echo of %d bytes", size), icmpProto, 64, 0, dontFragment, nil, echo(next(), size), true, echoed)
	}
	add("TCP SYN", tcpProto, 64, 0, dontFragment, nil, tcpSegment(next(), 2, 0), true, reset)
	add("TCP RST", tcpProto, 64, 0, dontFragment, nil, tcpSegment(next(), 4, 0), true, "")
	add("TCP with all flags", tcpProto, 64, 0, dontFragment, nil, tcpSegment(next(), 0x3f, 5), true, "")
	for _, tos := range []byte{1, 2, 3, 0x10, 0xb8, 0xbb} {
		add(fmt.Sprintf("UDP with TOS %#x", tos), udpProto, 64, tos, 0, nil, udp(next(), 40, true), true, unreachable)
	}
	add("UDP on its last hop at the first host", udpProto, 1, 0, 0, nil, udp(next(), 8, true), false, expired)
	add("UDP on its last hop at the second host", udpProto, 2, 0, 0, nil, udp(next(), 8, true), false, expired)
	add("UDP on its last hop at the pod", udpProto, 3, 0, 0, nil, udp(next(), 8, true), true, unreachable)
	add("UDP with 255 hops", udpProto, 255, 0, 0, nil, udp(next(), 8, true), true, unreachable)
	add("UDP with options", udpProto, 64, 0, 0, []byte{1, 1, 1, 0}, udp(next(), 8, true), true, unreachable)
	add("UDP that says less than there is", udpProto, 64, 0, 0, nil, append(udp(next(), 8, true), 1, 2, 3), true, unreachable)
	bad := udp(next(), 8, true)
	bad[6] ^= 0x55
	add("UDP with a wrong checksum", udpProto, 64, 0, 0, nil, bad, true, "")
	add("UDP cut off within its header", udpProto, 64, 0, 0, nil, udp(next(), 8, true)[:6], true, "")
	add("TCP cut off within its header", tcpProto, 64, 0, 0, nil, tcpSegment(next(), 2, 0)[:12], true, "")
	for _, proto := range []byte{unix.IPPROTO_SCTP, unix.IPPROTO_GRE, unix.IPPROTO_ESP, 253} {
		add(fmt.Sprintf("protocol %d", proto), proto, 64, 0, 0, nil, count(36), true, "")
	}
	return all
}

// tap collects the frames of a device.
type tap struct {
	fd   int
	take func(frame []byte) string // "" for what does not count
}

func openTap(t *testing.T, space, dev string, take func([]byte) string) *tap {
	t.Helper()
	p := &tap{fd: -1, take: take}
	err := twohosts.In(space)(func() (err error) {
		index, err := indexOf(dev)
		if err != nil {
			return err
		}
		if p.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		_ = unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
		return unix.Bind(p.fd, &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: index}) // ETH_P_ALL
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(p.fd) })
	return p
}

// collect returns the next n frames that count, sorted.
func (p *tap) collect(t *testing.T, n int) (out []string) {
	t.Helper()
	buffer := make([]byte, 1<<16)
	for end := time.Now().Add(10 * time.Second); len(out) < n; {
		limit := unix.NsecToTimeval(max(time.Until(end), time.Millisecond).Nanoseconds())
		_ = unix.SetsockoptTimeval(p.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
		size, from, err := unix.Recvfrom(p.fd, buffer, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			t.Errorf("%d of %d frames came: %v", len(out), n, err)
			break
		}
		if l, ok := from.(*unix.SockaddrLinklayer); ok && l.Pkttype != unix.PACKET_HOST {
			continue
		}
		if text := p.take(buffer[:size]); text != "" {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}

// fromPod shows a frame of the first pod as it arrives, whole.
func fromPod(frame []byte) string {
	if len(frame) < 34 || string(frame[26:34]) != "\x0a\x05\x01\x07\x0a\x05\x02\x07" {
		return ""
	}
	return hex.EncodeToString(frame)
}

// onWire shows a frame between the hosts without what is random in it: the outer
// header's id and source port, and the checksums over these.
func onWire(frame []byte) string {
	f := slices.Clone(frame)
	if len(f) >= 34 && string(f[26:34]) == "\x0a\x05\x01\x07\x0a\x05\x02\x07" {
		return hex.EncodeToString(f) // direct
	}
	if len(f) < 84 || f[12] != 8 || f[23] != unix.IPPROTO_UDP || string(f[76:84]) != "\x0a\x05\x01\x07\x0a\x05\x02\x07" {
		return ""
	}
	clear(f[18:20])
	clear(f[24:26])
	clear(f[34:36])
	return hex.EncodeToString(f)
}

// answers shows what comes back to the first pod: whose answer, of which kind, to which packet.
func answers(frame []byte) string {
	if len(frame) < 42 || string(frame[30:34]) != "\x0a\x05\x01\x07" || frame[12] != 8 {
		return ""
	}
	ip := frame[14:]
	body := ip[int(ip[0]&15)*4:]
	switch ip[9] {
	case unix.IPPROTO_ICMP:
		return fmt.Sprintf("ttl %d tos %#x from %v: %s", ip[8], ip[1], ip[12:16], hex.EncodeToString(body))
	case unix.IPPROTO_TCP:
		return fmt.Sprintf("ttl %d tos %#x from %v: %s", ip[8], ip[1], ip[12:16], hex.EncodeToString(body))
	}
	return ""
}

// seen is what was seen of packets: in the pod they are for, on the wire, and back in
// the pod they are from.
type seen struct{ pod, wire, back []string }

func (s seen) differ(o seen) string {
	var out strings.Builder
	for _, c := range []struct {
		where string
		a, b  []string
	}{{"in the pod", s.pod, o.pod}, {"on the wire", s.wire, o.wire}, {"back", s.back, o.back}} {
		for _, one := range c.a {
			if !slices.Contains(c.b, one) {
				fmt.Fprintf(&out, "%s only by the fast path: %s\n", c.where, one)
			}
		}
		for _, one := range c.b {
			if !slices.Contains(c.a, one) {
				fmt.Fprintf(&out, "%s only by the kernel's path: %s\n", c.where, one)
			}
		}
	}
	return out.String()
}

// sendAll sends packets from the first pod and returns what was seen.
func sendAll(t *testing.T, all []packet) (s seen) {
	t.Helper()
	pod, wire, back := openTap(t, "p2", "eth0", fromPod), openTap(t, "h2", twohosts.Wire, onWire), openTap(t, "p1", "eth0", answers)
	err := twohosts.In("p1")(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }()
		for _, p := range all {
			if err := unix.Sendto(fd, p.data, 0, &unix.SockaddrInet4{Addr: [4]byte{10, 5, 2, 7}}); err != nil {
				return fmt.Errorf("send %s: %w", p.name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	arrive, answered, travel := 0, 0, 0
	for _, p := range all {
		arrive += p.arrives
		travel += p.arrives
		if p.arrives == 0 && p.data[8] > 1 && p.answer != tooBig {
			travel++ // the second host answers it
		}
		if p.answer != "" {
			answered++
		}
	}
	s.pod, s.wire, s.back = pod.collect(t, arrive), wire.collect(t, travel), back.collect(t, answered)
	return s
}

// TestFramesAreTheSame compares byte for byte what arrives, what is on the wire and what
// is answered, with the fast path of both hosts and without.
func TestFramesAreTheSame(t *testing.T) {
	conns := newWorld(t, twohosts.Wire, twohosts.Veth)
	err := twohosts.Run(twohosts.Firewall + `
for n in 1 2; do ip netns exec p$n sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit'; done
for n in h1 h2 p1 p2; do ip netns exec $n sh -c '[ ! -e /proc/sys/net/ipv4/icmp_msgs_per_sec ] || echo 1000000 >/proc/sys/net/ipv4/icmp_msgs_per_sec; [ ! -e /proc/sys/net/ipv4/icmp_msgs_burst ] || echo 1000000 >/proc/sys/net/ipv4/icmp_msgs_burst'; done
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, routes string
		direct       bool
		mtu          int
	}{
		{"by the tunnel", "", false, 1450},
		{"by the tunnel with a smaller path MTU", "ip -n h1 route replace 10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink mtu 1300", false, 1300},
		{"directly", "for n in 1 2; do ip -n h$n route replace 10.5.$((3 - n)).0/24 via 10.4.0.$((3 - n)); done", true, 1450},
		{"directly with a smaller path MTU", "ip -n h1 route replace 10.5.2.0/24 via 10.4.0.2 mtu 1300", true, 1300},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := twohosts.Run(c.routes); err != nil {
				t.Fatal(err)
			}
			all := packets(c.mtu)
			see := func(want func(n int) *netstate.State) seen {
				for n, conn := range conns {
					conn.reach(t, &netstate.State{}) // counters begin anew
					conn.reach(t, want(n))
				}
				forget(t)
				return sendAll(t, all)
			}
			fast := see(func(n int) *netstate.State {
				s := fastHost(t, n, twohosts.Veth, c.direct)
				for _, far := range []string{"host 10.4.0.2 mac 02:00:00:00:09:02 mtu ", "host 10.4.0.2 mtu "} {
					s = altered(t, s, far+"1450", fmt.Sprint(far, c.mtu))
				}
				return s
			})
			counts, err := conns[1].Count("weft")
			if err != nil || counts.Fast < 30 {
				t.Errorf("the fast path took %+v, %v", counts, err)
			}
			slow := see(func(int) *netstate.State { return &netstate.State{} })
			if diff := fast.differ(slow); diff != "" {
				t.Error(diff)
			}
			t.Logf("%d packets, %d arrived, %d frames on the wire, %d answers; %+v", len(all), len(slow.pod), len(slow.wire), len(slow.back), counts)
		})
	}
}

// forget empties connection tracking on both hosts.
func forget(t *testing.T) {
	t.Helper()
	for _, h := range []string{"h1", "h2"} {
		err := twohosts.In(h)(func() error {
			fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
			if err != nil {
				return err
			}
			defer func() { _ = unix.Close(fd) }()
			const deleteAll = unix.NFNL_SUBSYS_CTNETLINK<<8 | 2 // IPCTNL_MSG_CT_DELETE, of no entry in particular
			request := make([]byte, 20)                         // struct nlmsghdr and struct nfgenmsg
			binary.NativeEndian.PutUint32(request, uint32(len(request)))
			binary.NativeEndian.PutUint16(request[4:], deleteAll)
			binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
			if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
				return err
			}
			answer := make([]byte, 4096)
			n, _, err := unix.Recvfrom(fd, answer, 0)
			if err == nil && n >= 20 && int32(binary.NativeEndian.Uint32(answer[16:])) != 0 {
				err = unix.Errno(-int32(binary.NativeEndian.Uint32(answer[16:])))
			}
			return err
		})
		if err != nil {
			t.Fatalf("empty connection tracking of %s: %v", h, err)
		}
	}
}
