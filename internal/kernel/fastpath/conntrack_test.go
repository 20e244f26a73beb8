package fastpath

import (
	"net"
	"os/exec"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// tracked has the addresses of pods and of a service on lo, and rules that make
// the kernel track connections and lead the service's port 53 to the far pod.
// Once there are connections, leave takes the addresses away again.
func tracked(t *testing.T) (leave func()) {
	t.Helper()
	leave = func() {}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{nearPod, farPod, service} {
		addr, err := netlink.ParseAddr(a + "/32")
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.AddrAdd(lo, addr); err != nil {
			t.Fatal(err)
		}
		before := leave
		leave = func() { before(); _ = netlink.AddrDel(lo, addr) }
	}
	rules := `table ip track {
		chain out { type filter hook output priority 0; ct state new counter; }
		chain nat { type nat hook output priority -100; ip daddr ` + service + ` udp dport 53 dnat to ` + farPod + `; }
	}`
	if out, err := exec.Command("nft", rules).CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
	t.Cleanup(func() { leave(); _ = exec.Command("nft", "delete table ip track").Run() })
	return leave
}

const service = "10.9.9.9"

func listenUDP(t *testing.T, addr string) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(addr)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func portOf(a net.Addr) uint16 {
	switch a := a.(type) {
	case *net.UDPAddr:
		return uint16(a.Port)
	case *net.TCPAddr:
		return uint16(a.Port)
	}
	return 0
}

func (b *bench) expect(t *testing.T, what string, in bool, ip []byte, verdict uint32, outcome int) {
	t.Helper()
	program, dev, packet := podProgram, b.veth, b.fromPod(ip)
	if in {
		program, dev, packet, outcome = uplinkProgram, b.uplink, b.fromTunnel(ip), outcomes+outcome
	}
	b.expectFrame(t, what, program, dev, packet, verdict, outcome)
}

// expectFrame gives a frame to a program; outcome counts from that of frames to
// pods for those.
func (b *bench) expectFrame(t *testing.T, what, program string, dev netlink.Link, packet []byte, verdict uint32, outcome int) {
	t.Helper()
	before := b.outcomes(t)
	before[outcome]++
	got, _ := b.run(t, program, dev, packet, 0)
	if after := b.outcomes(t); got != verdict || after != before {
		t.Errorf("%s: verdict %#x, want %#x; counted %v, want %v", what, got, verdict, after, before)
	}
}

// TestTranslatedFlowsStay: what the kernel translates in either direction is its own business.
func TestTranslatedFlowsStay(t *testing.T) {
	b := newBench(t, modeAll)
	leave := tracked(t)
	c := listenUDP(t, nearPod)
	if _, err := c.WriteToUDP([]byte("query"), &net.UDPAddr{IP: net.ParseIP(service), Port: 53}); err != nil {
		t.Fatal(err)
	}
	leave()
	own := portOf(c.LocalAddr())
	reply := header4(farPod, nearPod, unix.IPPROTO_UDP, datagram(53, own, nil))
	b.expect(t, "the answer of a service", true, reply, next, slowNAT)
	b.expect(t, "in the other direction", false, header4(nearPod, farPod, unix.IPPROTO_UDP, datagram(own, 53, nil)), next, slowNAT)
	b.expect(t, "another port", true, header4(farPod, nearPod, unix.IPPROTO_UDP, datagram(54, own, nil)), redirect, fast)
	b.expect(t, "another protocol", true, header4(farPod, nearPod, unix.IPPROTO_TCP, segment(53, own, 16, nil)), redirect, fast)
}

// TestEstablishedOnly: where a policy stands ahead, it sees what opens a connection.
func TestEstablishedOnly(t *testing.T) {
	b := newBench(t, modeEstablished)
	leave := tracked(t)
	listener, err := net.Listen("tcp", net.JoinHostPort(farPod, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(nearPod)}}
	conn, err := dialer.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	c := listenUDP(t, nearPod)
	if _, err := c.WriteToUDP([]byte("first"), &net.UDPAddr{IP: net.ParseIP(farPod), Port: 7}); err != nil {
		t.Fatal(err)
	}
	leave()
	own, far := portOf(conn.LocalAddr()), portOf(listener.Addr())
	data := count(20)
	b.expect(t, "established", false, header4(nearPod, farPod, unix.IPPROTO_TCP, segment(own, far, 16, data)), redirect, fast)
	b.expect(t, "established, back", true, header4(farPod, nearPod, unix.IPPROTO_TCP, segment(far, own, 16, data)), redirect, fast)
	b.expect(t, "nobody knows it", false, header4(nearPod, farPod, unix.IPPROTO_TCP, segment(own, far+1, 16, data)), next, slowPolicy)
	once := portOf(c.LocalAddr())
	b.expect(t, "without an answer yet", false, header4(nearPod, farPod, unix.IPPROTO_UDP, datagram(once, 7, nil)), next, slowPolicy)
	b.expect(t, "the answer", true, header4(farPod, nearPod, unix.IPPROTO_UDP, datagram(7, once, nil)), next, slowPolicy)
}

// TestWhatBeganOnTheKernelsPathStays: conntrack would take what comes after a gap for invalid.
func TestWhatBeganOnTheKernelsPathStays(t *testing.T) {
	b := newBench(t, modeAll)
	leave := tracked(t)
	c := listenUDP(t, nearPod)
	if _, err := c.WriteToUDP([]byte("first"), &net.UDPAddr{IP: net.ParseIP(farPod), Port: 7}); err != nil {
		t.Fatal(err)
	}
	leave()
	own := portOf(c.LocalAddr())
	b.expect(t, "from the pod", false, header4(nearPod, farPod, unix.IPPROTO_UDP, datagram(own, 7, nil)), next, slowTracked)
	b.expect(t, "to the pod", true, header4(farPod, nearPod, unix.IPPROTO_UDP, datagram(7, own, nil)), next, slowTracked)
	b.expect(t, "another flow", false, header4(nearPod, farPod, unix.IPPROTO_UDP, datagram(own, 8, nil)), redirect, fast)
}
