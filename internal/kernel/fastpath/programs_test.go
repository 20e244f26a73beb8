package fastpath

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/test/absence"
)

// Verdicts of a program.
const (
	next     = verdictNext
	redirect = verdictRedirect
)

// The network of these tests: this host 10.4.0.1 has 10.5.1.0/24 and a pod in
// it; 10.4.0.2 is reached by the tunnel, 10.4.0.3 directly.
var (
	podMAC  = netstate.MAC{2, 0, 0, 0, 1, 1}
	farMAC  = netstate.MAC{2, 0, 0, 0, 9, 2}
	tunMAC  = netstate.MAC{2, 0, 0, 0, 9, 1}
	peerMAC = netstate.MAC{2, 0, 0, 0, 4, 2}
)

const (
	nearPod   = "10.5.1.7"
	farPod    = "10.5.2.9"
	directPod = "10.5.3.9"
	near6     = "fd05:0:0:1::7"
	direct6   = "fd05:0:0:3::9"
	host1     = "10.4.0.1"
	host2     = "10.4.0.2"
	vni       = 1
	port      = 8472
	podMTU    = 1450
)

type bench struct {
	objects
	veth, uplink       netlink.Link // veth: the host's end of the pod's
	vethMAC, uplinkMAC netstate.MAC
}

// newBench has devices and programs of mode in the test's network namespace.
func newBench(t testing.TB, mode uint32) *bench {
	t.Helper()
	absence.Tcx(t)
	b := &bench{veth: device(t, "veth-a"), uplink: device(t, "up-a")}
	b.vethMAC, b.uplinkMAC = netstate.MAC(b.veth.Attrs().HardwareAddr), netstate.MAC(b.uplink.Attrs().HardwareAddr)
	c := conf{
		Mode: mode, Uplink: uint32(b.uplink.Attrs().Index), Local: netip.MustParseAddr(host1).As4(), MAC: tunMAC,
		VNI: [4]byte{0, 0, vni, 0},
	}
	binary.BigEndian.PutUint16(c.Port[:], port)
	if err := netlink.LinkSetMTU(b.veth, podMTU); err != nil {
		t.Fatal(err)
	}
	setParameter(t, "net/ipv4/conf/up-a/forwarding")
	setParameter(t, "net/ipv6/conf/all/forwarding")
	for _, a := range []string{nearPod, near6} {
		addr := netip.MustParseAddr(a)
		route := &netlink.Route{LinkIndex: b.veth.Attrs().Index, Dst: &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(addr.BitLen(), addr.BitLen())}}
		if err := netlink.RouteReplace(route); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if b.objects, err = load(c, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	put := func(name string, key, value any) {
		t.Helper()
		if err := b.Maps[name].Put(key, value); err != nil {
			t.Fatal(err)
		}
	}
	put(remotesMap, keyOf(netip.MustParsePrefix("10.5.2.0/24")), remote{Host: netip.MustParseAddr(host2).As16(), MAC: farMAC, MTU: podMTU, Kind: kindVXLAN})
	put(remotesMap, keyOf(netip.MustParsePrefix("10.5.3.0/24")), remote{Host: netip.MustParseAddr("10.4.0.3").As16(), MTU: 1500, Kind: kindDirect})
	put(remotesMap, keyOf(netip.MustParsePrefix("fd05:0:0:3::/64")), remote{Host: netip.MustParseAddr("fd04::3").As16(), MTU: 1500, Kind: kindDirect})
	for _, a := range []string{nearPod, near6} {
		put(podsMap, netip.MustParseAddr(a).As16(), pod{Ifindex: uint32(b.veth.Attrs().Index), MAC: podMAC, HostMAC: b.vethMAC, MTU: podMTU})
	}
	return b
}

// device makes a pair of devices and returns one of them.
func device(t testing.TB, name string) netlink.Link {
	t.Helper()
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name, MTU: 1500}, PeerName: name + "p"}); err != nil {
		t.Fatal(err)
	}
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(l) })
	for _, end := range []string{name, name + "p"} {
		one, err := netlink.LinkByName(end)
		if err == nil {
			err = netlink.LinkSetUp(one)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// remake makes a pair of devices anew, with another index.
func remake(t testing.TB, name string) {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(l)
	}
	if err != nil {
		t.Fatal(err)
	}
	device(t, name)
}

func setParameter(t testing.TB, name string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/"+name, []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
}

// skb is the part of struct __sk_buff of linux/bpf.h, with GSO size, that a test sets.
type skb struct {
	Before  [10]uint32 // up to ifindex
	Ifindex uint32
	Between [33]uint32
	GSOSize uint32
	After   [3]uint32
}

// run gives a packet to a program as if it came in by dev.
func (b *bench) run(t testing.TB, program string, dev netlink.Link, packet []byte, gso uint32) (verdict uint32, out []byte) {
	t.Helper()
	out = make([]byte, len(packet)+256)
	o := &ebpf.RunOptions{Data: packet, DataOut: out, Repeat: 1, Context: skb{Ifindex: uint32(dev.Attrs().Index), GSOSize: gso}}
	verdict, err := b.Programs[program].Run(o)
	if err != nil {
		t.Fatal(err)
	}
	return verdict, o.DataOut
}

// outcomes returns what was counted, by outcome of both directions.
func (b *bench) outcomes(t testing.TB) [2 * outcomes]uint64 {
	t.Helper()
	out, err := readCounts(b.Maps[countsMap])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (b *bench) fromPod(ip []byte) []byte { return frame{dst: b.vethMAC, src: podMAC, ip: ip}.bytes() }
func (b *bench) fromWire(ip []byte) []byte {
	return frame{dst: b.uplinkMAC, src: peerMAC, ip: ip}.bytes()
}

// fromTunnel is what host2 sends for an inner packet.
func (b *bench) fromTunnel(inner []byte) []byte {
	return b.fromWire(header4(host2, host1, unix.IPPROTO_UDP, datagram(40000, port, tunnelled(vni, frame{tunMAC, farMAC, false, inner}))))
}

func plain(n int) []byte {
	return header4(nearPod, farPod, unix.IPPROTO_UDP, datagram(1000, 2000, count(n)))
}

func arriving(n int) []byte {
	return header4(farPod, nearPod, unix.IPPROTO_UDP, datagram(2000, 1000, count(n)))
}

// TestIntoTheTunnel holds what leaves for a peer to what flannel's device sends, byte for byte.
func TestIntoTheTunnel(t *testing.T) {
	b := newBench(t, modeAll)
	for _, tc := range []struct {
		name     string
		tos, ecn byte
	}{{"plain", 0, 0}, {"ECN capable", 2, 2}, {"congested", 3, 2}, {"DSCP stays inside", 0xb8 | 1, 1}} {
		inner := plain(100)
		inner[1] = tc.tos
		verdict, got := b.run(t, podProgram, b.veth, b.fromPod(resum(inner)), 0)
		if verdict != redirect || len(got) != 14+50+len(inner) {
			t.Fatalf("%s: verdict %#x, %d bytes", tc.name, verdict, len(got))
		}
		sport := binary.BigEndian.Uint16(got[34:])
		if sport < 32768 || sport > 60999 {
			t.Errorf("%s: source port %d", tc.name, sport)
		}
		outer := header4(host1, host2, unix.IPPROTO_UDP, datagram(sport, port, tunnelled(vni, frame{farMAC, tunMAC, false, hopped(inner)})))
		outer[1] = tc.ecn
		copy(outer[4:6], got[18:20]) // drawn at random
		if want := resum(outer); !bytes.Equal(got[14:], want) {
			t.Errorf("%s:\ngot  %x\nwant %x", tc.name, got[14:], want)
		}
	}
}

// TestOutOfTheTunnel holds what a pod gets to what its peer's pod has sent.
func TestOutOfTheTunnel(t *testing.T) {
	b := newBench(t, modeAll)
	for _, tc := range []struct{ outer, inner, want byte }{
		{0, 0, 0}, {2, 2, 2}, {1, 0xb9, 0xb9}, {3, 2, 3}, {3, 0xb9, 0xbb}, {3, 3, 3},
	} {
		inner := changed(arriving(100), at(1, tc.inner))
		packet := b.fromTunnel(inner)
		packet[15] = tc.outer
		resum(packet[14:])
		verdict, got := b.run(t, uplinkProgram, b.uplink, packet, 0)
		want := frame{dst: podMAC, src: b.vethMAC, ip: hopped(changed(inner, at(1, tc.want)))}.bytes()
		if verdict != redirect || !bytes.Equal(got, want) {
			t.Errorf("TOS %#x in %#x: verdict %#x\ngot  %x\nwant %x", tc.inner, tc.outer, verdict, got, want)
		}
	}
}

// TestDirect: between hosts of one segment packets only lose a hop.
func TestDirect(t *testing.T) {
	b := newBench(t, modeAll)
	udp := datagram(1000, 2000, count(64))
	for _, tc := range []struct{ out, in []byte }{
		{header4(nearPod, directPod, unix.IPPROTO_UDP, udp), header4(directPod, nearPod, unix.IPPROTO_UDP, udp)},
		{header6(near6, direct6, unix.IPPROTO_UDP, udp), header6(direct6, near6, unix.IPPROTO_UDP, udp)},
		{header6(near6, direct6, unix.IPPROTO_TCP, segment(1, 2, 2, nil)), header6(direct6, near6, unix.IPPROTO_TCP, segment(2, 1, 0x12, nil))},
	} {
		verdict, got := b.run(t, podProgram, b.veth, b.fromPod(tc.out), 0)
		if verdict != redirect || !bytes.Equal(got, b.fromPod(hopped(tc.out))) {
			t.Errorf("from the pod: verdict %#x\ngot  %x\nwant %x", verdict, got, b.fromPod(hopped(tc.out)))
		}
		verdict, got = b.run(t, uplinkProgram, b.uplink, b.fromWire(tc.in), 0)
		want := frame{dst: podMAC, src: b.vethMAC, ip: hopped(tc.in)}.bytes()
		if verdict != redirect || !bytes.Equal(got, want) {
			t.Errorf("to the pod: verdict %#x\ngot  %x\nwant %x", verdict, got, want)
		}
	}
}

// changed is p after a change, with its checksum right.
func changed(ip []byte, change func(p []byte)) []byte {
	out := slices.Clone(ip)
	change(out)
	if out[0]>>4 == 4 {
		resum(out)
	}
	return out
}

// at sets bytes from an offset on.
func at(offset int, value ...byte) func([]byte) {
	return func(p []byte) { copy(p[offset:], value) }
}

// withOption is an IPv4 packet with four bytes of options.
func withOption(ip []byte) []byte {
	out := slices.Concat(ip[:20], []byte{1, 1, 1, 0}, ip[20:])
	out[0] = 0x46
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
	return resum(out)
}

// TestLeftToTheKernel has a packet for each condition. What is left is not changed.
func TestLeftToTheKernel(t *testing.T) {
	b := newBench(t, modeAll)
	outer := func(inner []byte, change func([]byte)) []byte {
		f := b.fromTunnel(inner)
		change(f[14:])
		resum(f[14:])
		return f
	}
	tcp := segment(1, 2, 0x10, count(10))
	const uncounted = outcomes
	for _, tc := range []struct {
		name    string
		in      bool
		packet  []byte
		gso     uint32
		outcome int
	}{
		{"to the pod's own host", false, b.fromPod(header4(nearPod, "10.5.1.1", 17, datagram(1, 2, nil))), 0, uncounted},
		{"to the world", false, b.fromPod(header4(nearPod, "192.0.2.1", 17, datagram(1, 2, nil))), 0, uncounted},
		{"to all of the segment", false, frame{netstate.MAC{255, 255, 255, 255, 255, 255}, podMAC, false, plain(9)}.bytes(), 0, uncounted},
		{"from another pod's address", false, b.fromPod(header4("10.5.1.8", farPod, 17, datagram(1, 2, nil))), 0, slowSource},
		{"from outside", false, b.fromPod(header4("192.0.2.1", farPod, 17, datagram(1, 2, nil))), 0, slowSource},
		{"TTL 1", false, b.fromPod(changed(plain(9), at(8, 1))), 0, slowTTL},
		{"TTL 0", false, b.fromPod(changed(plain(9), at(8, 0))), 0, slowTTL},
		{"options", false, b.fromPod(withOption(plain(9))), 0, slowOptions},
		{"first fragment", false, b.fromPod(changed(plain(16), at(6, 0x20))), 0, slowFragment},
		{"last fragment", false, b.fromPod(changed(plain(16), at(7, 2))), 0, slowFragment},
		{"ICMP", false, b.fromPod(header4(nearPod, farPod, 1, count(16))), 0, slowProtocol},
		{"SCTP", false, b.fromPod(header4(nearPod, farPod, 132, count(16))), 0, slowProtocol},
		{"one byte too large", false, b.fromPod(plain(podMTU - 28 + 1)), 0, slowSize},
		{"segments one byte too large", false, b.fromPod(header4(nearPod, farPod, 6, segment(1, 2, 16, count(3000)))), podMTU - 40 + 1, slowSize},
		{"segments of no kind that a tunnel takes", false, b.fromPod(header4(nearPod, farPod, 6, segment(1, 2, 16, count(3000)))), podMTU - 40, slowOther},
		{"direct, one byte too large", false, b.fromPod(header4(nearPod, directPod, 17, datagram(1, 2, count(1500-28+1)))), 0, slowSize},
		{"shorter than its header says", false, b.fromPod(changed(plain(9), at(3, 200))), 0, slowOther},
		{"padded", false, append(b.fromPod(plain(9)), 0), 0, slowOther},
		{"TCP header cut off", false, b.fromPod(header4(nearPod, farPod, 6, tcp[:19])), 0, slowOther},
		{"TCP header too short", false, b.fromPod(header4(nearPod, farPod, 6, changed(append([]byte{0x60}, tcp...), at(13, 4<<4))[1:])), 0, slowOther},
		{"UDP header cut off", false, b.fromPod(header4(nearPod, farPod, 17, count(7))), 0, slowOther},
		{"IPv6 extension header", false, b.fromPod(header6(near6, direct6, 0, append([]byte{17, 0, 1, 4, 0, 0, 0, 0}, datagram(1, 2, nil)...))), 0, slowOptions},
		{"IPv6 fragment", false, b.fromPod(header6(near6, direct6, 44, append([]byte{17, 0, 0, 1, 0, 0, 0, 1}, datagram(1, 2, nil)...))), 0, slowFragment},
		{"IPv6 hop limit 1", false, b.fromPod(changed(header6(near6, direct6, 17, datagram(1, 2, nil)), at(7, 1))), 0, slowTTL},
		{"ICMPv6", false, b.fromPod(header6(near6, direct6, 58, count(16))), 0, slowProtocol},

		{"another port", true, b.fromWire(header4(host2, host1, 17, datagram(40000, 4789, tunnelled(vni, frame{tunMAC, farMAC, false, arriving(9)})))), 0, uncounted},
		{"another host's", true, b.fromWire(header4(host2, "10.4.0.8", 17, datagram(40000, port, tunnelled(vni, frame{tunMAC, farMAC, false, arriving(9)})))), 0, uncounted},
		{"to all of the wire", true, frame{netstate.MAC{255, 255, 255, 255, 255, 255}, peerMAC, false, b.fromTunnel(arriving(9))[14:]}.bytes(), 0, uncounted},
		{"outer fragment", true, outer(arriving(9), at(6, 0x20)), 0, uncounted},
		{"outer options", true, b.fromWire(withOption(b.fromTunnel(arriving(9))[14:])), 0, uncounted},
		{"outer source of a stranger", true, outer(arriving(9), at(15, 77)), 0, slowSource},
		{"outer source of another peer", true, outer(arriving(9), at(15, 3)), 0, slowSource},
		{"inner source of another peer", true, b.fromTunnel(header4(directPod, nearPod, 17, datagram(1, 2, nil))), 0, slowSource},
		{"inner source outside the network", true, b.fromTunnel(header4("192.0.2.1", nearPod, 17, datagram(1, 2, nil))), 0, slowSource},
		{"inner source of this host", true, b.fromTunnel(header4(nearPod, nearPod, 17, datagram(1, 2, nil))), 0, slowSource},
		{"not by the tunnel", true, b.fromWire(arriving(9)), 0, slowSource},
		{"wrong VNI", true, outer(arriving(9), at(34, vni+1)), 0, uncounted},
		{"flags of an extension", true, outer(arriving(9), at(28, 0x88)), 0, uncounted},
		{"no VNI", true, outer(arriving(9), at(28, 0)), 0, uncounted},
		{"outer checksum", true, outer(arriving(9), at(26, 1, 2)), 0, slowTunnel},
		{"congestion on the way of a flow that does not know such", true, outer(arriving(9), at(1, 3)), 0, slowTunnel},
		{"frame for another device", true, outer(arriving(9), at(41, 77)), 0, uncounted},
		{"frame for all", true, outer(arriving(9), at(36, 255, 255, 255, 255, 255, 255)), 0, uncounted},
		{"ARP inside", true, outer(arriving(9), at(48, 8, 6)), 0, uncounted},
		{"IPv6 inside", true, outer(arriving(9), at(48, 0x86, 0xdd)), 0, uncounted},
		{"outer length", true, outer(arriving(9), at(3, 1)), 0, slowTunnel},
		{"to no pod", true, b.fromTunnel(header4(farPod, "10.5.1.8", 17, datagram(1, 2, nil))), 0, uncounted},
		{"inner TTL 1", true, b.fromTunnel(changed(arriving(9), at(8, 1))), 0, slowTTL},
		{"inner fragment", true, b.fromTunnel(changed(arriving(16), at(7, 2))), 0, slowFragment},
		{"inner options", true, b.fromTunnel(withOption(arriving(9))), 0, slowOptions},
		{"inner ICMP error", true, b.fromTunnel(header4(farPod, nearPod, 1, append([]byte{3, 4, 0, 0, 0, 0, 5, 0}, plain(9)...))), 0, slowProtocol},
		{"larger than the pod takes", true, b.fromTunnel(arriving(podMTU - 28 + 1)), 0, slowSize},
	} {
		program, dev, first := podProgram, b.veth, 0
		if tc.in {
			program, dev, first = uplinkProgram, b.uplink, outcomes
		}
		before := b.outcomes(t)
		verdict, got := b.run(t, program, dev, tc.packet, tc.gso)
		after := b.outcomes(t)
		if verdict != next || !bytes.Equal(got, tc.packet) {
			t.Errorf("%s: verdict %#x\ngot  %x\nwant %x", tc.name, verdict, got, tc.packet)
		}
		want := before
		if tc.outcome != uncounted {
			want[first+tc.outcome]++
		}
		if after != want {
			t.Errorf("%s: counted %v, want %v", tc.name, after, want)
		}
	}
}

// TestAddressThatHasGoneToAnotherPod: what the kernel would not route to the pod's veth is its own business.
func TestAddressThatHasGoneToAnotherPod(t *testing.T) {
	b := newBench(t, modeAll)
	b.expect(t, "before", true, arriving(9), redirect, fast)
	other := device(t, "veth-b")
	route := &netlink.Route{LinkIndex: other.Attrs().Index, Dst: &net.IPNet{IP: net.ParseIP(nearPod).To4(), Mask: net.CIDRMask(32, 32)}}
	if err := netlink.RouteReplace(route); err != nil {
		t.Fatal(err)
	}
	b.expect(t, "after", true, arriving(9), next, slowDestination)
}

// TestLargest: what fits exactly is taken.
func TestLargest(t *testing.T) {
	b := newBench(t, modeAll)
	for _, tc := range []struct {
		name    string
		program string
		dev     netlink.Link
		packet  []byte
		gso     uint32
	}{
		{"into the tunnel", podProgram, b.veth, b.fromPod(plain(podMTU - 28)), 0},
		{"in segments", podProgram, b.veth, b.fromPod(header4(nearPod, directPod, 6, segment(1, 2, 16, count(3000)))), 1500 - 40},
		{"direct", podProgram, b.veth, b.fromPod(header4(nearPod, directPod, 17, datagram(1, 2, count(1500-28)))), 0},
		{"out of the tunnel", uplinkProgram, b.uplink, b.fromTunnel(arriving(podMTU - 28)), 0},
		{"TTL 2", podProgram, b.veth, b.fromPod(changed(plain(0), at(8, 2))), 0},
	} {
		if verdict, _ := b.run(t, tc.program, tc.dev, tc.packet, tc.gso); verdict != redirect {
			t.Errorf("%s: verdict %#x, counted %v", tc.name, verdict, b.outcomes(t))
		}
	}
}

// TestRandomPackets: whatever comes, a program ends, and a packet is taken only
// if it lies between a pod of this host and a remote subnet.
func TestRandomPackets(t *testing.T) {
	b := newBench(t, modeAll)
	br, mac := b.withBridge(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	samples := [][]byte{
		b.fromPod(plain(40)), b.fromPod(header6(near6, direct6, 17, datagram(1, 2, count(20)))), b.fromTunnel(arriving(40)),
		frame{mac, bridgedMAC, false, header4(bridged, farPod, 17, datagram(1, 2, count(20)))}.bytes(),
		frame{mac, bridgedMAC, false, header6(bridged6, direct6, 17, datagram(1, 2, count(20)))}.bytes(),
		b.fromTunnel(header4(farPod, bridged, 17, datagram(1, 2, count(20)))), b.fromWire(header6(direct6, bridged6, 17, datagram(1, 2, nil))),
		b.fromWire(header4(directPod, nearPod, 6, segment(2, 1, 16, count(9)))), b.fromWire(header6(direct6, near6, 6, segment(1, 2, 2, nil))),
	}
	for range 20000 {
		packet := slices.Clone(samples[r.IntN(len(samples))])
		for range 1 + r.IntN(4) {
			packet[r.IntN(len(packet))] = byte(r.Uint32())
		}
		packet = packet[:min(len(packet), 54+r.IntN(len(packet)))] // the kernel refuses to try shorter ones
		if r.IntN(4) > 0 {
			packet = append(packet, count(r.IntN(100))...)
		}
		for _, hook := range []struct {
			program string
			dev     netlink.Link
		}{{podProgram, b.veth}, {podProgram, br}, {uplinkProgram, b.uplink}} {
			verdict, got := b.run(t, hook.program, hook.dev, packet, 0)
			switch {
			case verdict == next && bytes.Equal(got, packet):
			case verdict == redirect && permitted(hook.program, packet, got):
			default:
				t.Fatalf("%s: verdict %#x\npacket %x\ngot    %x", hook.program, verdict, packet, got)
			}
		}
	}
}

// permitted reports whether a packet may be taken, by what has become of it.
func permitted(program string, packet, got []byte) bool {
	inner := got[14:]
	if len(got) > len(packet) {
		inner = got[14+50:]
	}
	src, dst := ends(inner)
	if program == uplinkProgram {
		src, dst = dst, src
	}
	own := slices.ContainsFunc([]string{nearPod, near6, bridged, bridged6}, func(a string) bool { return src == netip.MustParseAddr(a) })
	return own && (netip.MustParsePrefix("10.5.2.0/24").Contains(dst) ||
		netip.MustParsePrefix("10.5.3.0/24").Contains(dst) || netip.MustParsePrefix("fd05:0:0:3::/64").Contains(dst))
}

func ends(ip []byte) (src, dst netip.Addr) {
	if ip[0]>>4 == 6 {
		return netip.AddrFrom16([16]byte(ip[8:24])), netip.AddrFrom16([16]byte(ip[24:40]))
	}
	return netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
}
