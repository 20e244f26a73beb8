package fastpath

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
)

// A bridge of containers holds a part of this host's subnet. One container's
// address is in its neighbour table, another's is not.
const (
	bridgeAddr   = "10.5.1.129"
	bridged      = "10.5.1.130"
	nobody       = "10.5.1.131"
	behindRouter = "10.5.1.140"
	shared4      = "10.5.1.141" // has a MAC of many
	bridged6     = "fd05:0:0:1:1::2"
	absent6      = "fd05:0:0:1:1::3"
)

var bridgedMAC = netstate.MAC{2, 0, 0, 0, 5, 1}

// newBridge makes a bridge with a port.
func newBridge(t testing.TB) netlink.Link {
	t.Helper()
	la := netlink.NewLinkAttrs()
	la.Name, la.MTU = "br-a", podMTU
	br := &netlink.Bridge{LinkAttrs: la}
	if err := netlink.LinkAdd(br); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(br) })
	if err := netlink.LinkSetMaster(device(t, "port-a"), br); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetMTU(br, podMTU); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(br); err != nil {
		t.Fatal(err)
	}
	out, err := netlink.LinkByName("br-a")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// withBridge gives the bench a bridge with addresses, neighbours, and a route by a router on it.
func (b *bench) withBridge(t *testing.T) (br netlink.Link, mac netstate.MAC) {
	t.Helper()
	br = newBridge(t)
	setParameter(t, "net/ipv4/conf/br-a/forwarding")
	index := br.Attrs().Index
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []string{bridgeAddr + "/25", "fd05:0:0:1:1::1/80"} {
		addr, err := netlink.ParseAddr(a)
		check(err)
		addr.Flags = unix.IFA_F_NODAD
		check(netlink.AddrAdd(br, addr))
		p := netip.MustParsePrefix(a).Masked()
		check(b.Maps[bridgesMap].Put(keyOf(p), bridge{Ifindex: uint32(index), MTU: podMTU}))
	}
	many := netstate.MAC{3, 0, 0, 0, 5, 1}
	for a, mac := range map[string]netstate.MAC{bridged: bridgedMAC, bridged6: bridgedMAC, shared4: many, "10.5.1.255": bridgedMAC} {
		check(netlink.NeighSet(&netlink.Neigh{LinkIndex: index, IP: net.ParseIP(a), HardwareAddr: mac[:], State: netlink.NUD_PERMANENT}))
	}
	check(netlink.RouteReplace(&netlink.Route{
		LinkIndex: index, Dst: &net.IPNet{IP: net.ParseIP(behindRouter).To4(), Mask: net.CIDRMask(32, 32)}, Gw: net.ParseIP(bridged).To4(),
	}))
	return br, netstate.MAC(br.Attrs().HardwareAddr)
}

// TestBridge carries packets of a container on a bridge, each way and by both paths.
func TestBridge(t *testing.T) {
	b := newBench(t, modeAll)
	br, mac := b.withBridge(t)
	udp := datagram(1000, 2000, count(64))
	for _, tc := range []struct{ out, in []byte }{
		{header4(bridged, farPod, unix.IPPROTO_UDP, udp), header4(farPod, bridged, unix.IPPROTO_UDP, udp)},
		{header4(bridged, directPod, unix.IPPROTO_UDP, udp), header4(directPod, bridged, unix.IPPROTO_UDP, udp)},
		{header6(bridged6, direct6, unix.IPPROTO_UDP, udp), header6(direct6, bridged6, unix.IPPROTO_UDP, udp)},
		{header6(bridged6, direct6, unix.IPPROTO_TCP, segment(1, 2, 2, nil)), header6(direct6, bridged6, unix.IPPROTO_TCP, segment(2, 1, 0x12, nil))},
	} {
		tunnelled := bytes.Contains(tc.out, netip.MustParseAddr(farPod).AsSlice())
		verdict, got := b.run(t, podProgram, br, frame{dst: mac, src: bridgedMAC, ip: tc.out}.bytes(), 0)
		if tunnelled {
			if len(got) != 14+50+len(tc.out) {
				t.Fatalf("into the tunnel: %x", got)
			}
			got = got[50:]
			copy(got, frame{dst: mac, src: bridgedMAC, ip: tc.out}.bytes()[:14])
		}
		if want := (frame{dst: mac, src: bridgedMAC, ip: hopped(tc.out)}).bytes(); verdict != redirect || !bytes.Equal(got, want) {
			t.Errorf("from the bridge: verdict %#x\ngot  %x\nwant %x", verdict, got, want)
		}
		packet := b.fromWire(tc.in)
		if tunnelled {
			packet = b.fromTunnel(tc.in)
		}
		verdict, got = b.run(t, uplinkProgram, b.uplink, packet, 0)
		if want := (frame{dst: bridgedMAC, src: mac, ip: hopped(tc.in)}).bytes(); verdict != redirect || !bytes.Equal(got, want) {
			t.Errorf("to the bridge: verdict %#x\ngot  %x\nwant %x", verdict, got, want)
		}
	}
}

// TestBridgeLeftToTheKernel has a packet for each condition of a bridge's own.
func TestBridgeLeftToTheKernel(t *testing.T) {
	b := newBench(t, modeAll)
	br, mac := b.withBridge(t)
	from := func(src string) []byte {
		return frame{dst: mac, src: bridgedMAC, ip: header4(src, farPod, unix.IPPROTO_UDP, datagram(1, 2, nil))}.bytes()
	}
	to := func(dst string, n int) []byte {
		return header4(farPod, dst, unix.IPPROTO_UDP, datagram(1, 2, count(n)))
	}
	tcp := header4(farPod, bridged, unix.IPPROTO_TCP, segment(1, 2, 16, count(3000)))
	const uncounted = -1
	for _, tc := range []struct {
		name    string
		dev     netlink.Link // nil: it comes by the wire
		packet  []byte
		gso     uint32
		outcome int
	}{
		{"of an address that nobody has", br, from(nobody), 0, slowNeighbour},
		{"of an IPv6 address that nobody has", br, frame{mac, bridgedMAC, false, header6(absent6, direct6, 17, datagram(1, 2, nil))}.bytes(), 0, slowNeighbour},
		{"of the bridge's own address", br, from(bridgeAddr), 0, slowSource},
		{"of the address of all", br, from("10.5.1.255"), 0, slowSource},
		{"of an address behind a router", br, from(behindRouter), 0, slowSource},
		{"of a pod with a veth", br, from(nearPod), 0, slowSource},
		{"of nobody's on this host", br, from("192.0.2.1"), 0, slowSource},
		{"of another's MAC", br, frame{mac, podMAC, false, header4(bridged, farPod, 17, datagram(1, 2, nil))}.bytes(), 0, slowSource},
		{"of one on the bridge, by a veth", b.veth, b.fromPod(header4(bridged, farPod, 17, datagram(1, 2, nil))), 0, slowSource},
		{"to all on the bridge", br, frame{netstate.MAC{255, 255, 255, 255, 255, 255}, bridgedMAC, false, from(bridged)[14:]}.bytes(), 0, uncounted},
		{"with a tag", br, append(append(from(bridged)[:12:12], 0x81, 0, 0, 7), from(bridged)[12:]...), 0, uncounted},

		{"to an address that nobody has", nil, b.fromTunnel(to(nobody, 9)), 0, slowNeighbour},
		{"to an IPv6 address that nobody has", nil, b.fromWire(header6(direct6, absent6, 17, datagram(1, 2, nil))), 0, slowNeighbour},
		{"to the bridge's own address", nil, b.fromTunnel(to(bridgeAddr, 9)), 0, slowDestination},
		{"to the address of all", nil, b.fromTunnel(to("10.5.1.255", 9)), 0, slowDestination},
		{"to an address behind a router", nil, b.fromTunnel(to(behindRouter, 9)), 0, slowDestination},
		{"to an address of many", nil, b.fromTunnel(to(shared4, 9)), 0, slowDestination},
		{"one byte too large", nil, b.fromTunnel(to(bridged, podMTU-28+1)), 0, slowSize},
		{"merged in the tunnel", nil, b.fromTunnel(tcp), 1400, slowTunnel},
	} {
		program, dev, first := podProgram, tc.dev, 0
		if dev == nil {
			program, dev, first = uplinkProgram, b.uplink, outcomes
		}
		before := b.outcomes(t)
		verdict, got := b.run(t, program, dev, tc.packet, tc.gso)
		if verdict != next || !bytes.Equal(got, tc.packet) {
			t.Errorf("%s: verdict %#x\ngot  %x\nwant %x", tc.name, verdict, got, tc.packet)
		}
		if tc.outcome != uncounted {
			before[first+tc.outcome]++
		}
		if after := b.outcomes(t); after != before {
			t.Errorf("%s: counted %v, want %v", tc.name, after, before)
		}
	}
}

// TestMergedForTheBridge: what no tunnel carried is taken merged as well.
func TestMergedForTheBridge(t *testing.T) {
	b := newBench(t, modeAll)
	b.withBridge(t)
	tcp := header4(directPod, bridged, unix.IPPROTO_TCP, segment(1, 2, 16, count(3000)))
	b.expectFrame(t, "direct", uplinkProgram, b.uplink, b.fromWire(tcp), next, outcomes+slowSize)
	verdict, _ := b.run(t, uplinkProgram, b.uplink, b.fromWire(tcp), podMTU-40)
	if verdict != redirect {
		t.Errorf("merged: verdict %#x", verdict)
	}
}

// TestNeighbourThatGoes: the table is asked for each packet.
func TestNeighbourThatGoes(t *testing.T) {
	b := newBench(t, modeAll)
	br, _ := b.withBridge(t)
	in := header4(farPod, bridged, unix.IPPROTO_UDP, datagram(1, 2, nil))
	b.expect(t, "before", true, in, redirect, fast)
	if err := netlink.NeighDel(&netlink.Neigh{LinkIndex: br.Attrs().Index, IP: net.ParseIP(bridged)}); err != nil {
		t.Fatal(err)
	}
	b.expect(t, "after", true, in, next, slowNeighbour)
}
