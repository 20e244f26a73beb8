package podlink

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/weft-net/weft/internal/netns"
)

func TestMain(m *testing.M) { os.Exit(netns.Main(m.Run)) }

// pod makes the namespace of one.
func pod(t *testing.T, name string) *netns.NS {
	t.Helper()
	ns, err := netns.New(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	return ns
}

func addrs(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// numbered is a link to the pod with the given last byte of its addresses.
func numbered(n byte) Link {
	return Link{
		Host: fmt.Sprintf("weftpod%d", n), HostMAC: MAC{2, 0, 0, 0, 1, n},
		Pod: "eth0", PodMAC: MAC{2, 0, 0, 0, 2, n},
		MTU: 1400, Alias: fmt.Sprintf("pod %d", n),
		Addrs: addrs(fmt.Sprintf("10.5.1.%d", n), fmt.Sprintf("fd05:0:0:1::%d", n)),
	}
}

func attach(t *testing.T, l Link, ns *netns.NS) {
	t.Helper()
	if _, err := l.Make(ns.FD()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Remove(l.Host); err != nil {
			t.Error(err)
		}
	})
}

// talk has one namespace call an address in another, and fails unless the
// other sees the caller as from.
func talk(t *testing.T, caller, called *netns.NS, from, to netip.Addr) {
	t.Helper()
	var ln net.Listener
	if err := called.Do(func() (err error) {
		ln, err = net.Listen("tcp", netip.AddrPortFrom(to, 0).String())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	var conn net.Conn
	if err := caller.Do(func() (err error) {
		conn, err = net.Dial("tcp", ln.Addr().String())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	other, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	seen := other.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	if seen != from {
		t.Errorf("%s was seen as %s", from, seen)
	}
}

func TestPodsReachEachOther(t *testing.T) {
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0); err != nil {
		t.Fatal(err) // the agent's affair on a real host, as ip_forward is
	}
	one, two := pod(t, "one"), pod(t, "two")
	a, b := numbered(1), numbered(2)
	attach(t, a, one)
	attach(t, b, two)
	for i := range a.Addrs {
		talk(t, one, two, a.Addrs[i], b.Addrs[i])
	}
	for _, l := range []struct {
		Link
		ns *netns.NS
	}{{a, one}, {b, two}} {
		if err := l.Check(l.ns.FD()); err != nil {
			t.Errorf("%s: %v", l.Host, err)
		}
	}
}

// TestIPv6IsSwitchedOn, as runtimes switch it off in new namespaces.
func TestIPv6IsSwitchedOn(t *testing.T) {
	ns := pod(t, "one")
	if err := ns.Do(func() error {
		return os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
	}); err != nil {
		t.Fatal(err)
	}
	l := numbered(1)
	attach(t, l, ns)
	if err := l.Check(ns.FD()); err != nil {
		t.Error(err)
	}
}

// TestSpoofing sends from an address that is not the pod's.
func TestSpoofing(t *testing.T) {
	one, two := pod(t, "one"), pod(t, "two")
	a, b := numbered(1), numbered(2)
	attach(t, a, one)
	attach(t, b, two)
	before := spoofed(t)
	err := one.Do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(lo, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 5, 9, 9), Mask: net.CIDRMask(32, 32)}}); err != nil {
			return err
		}
		conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 5, 9, 9)}, &net.UDPAddr{IP: net.IPv4(10, 5, 1, 2), Port: 9})
		if err != nil {
			return err
		}
		_, err = conn.Write([]byte("not from me"))
		return errors.Join(err, conn.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 { // the kernel may take its time over the packet, but not that of a hundred connections
		if spoofed(t) != before {
			return
		}
		talk(t, one, two, a.Addrs[0], b.Addrs[0])
	}
	t.Error("a packet with a foreign source address was forwarded")
}

// spoofed is the kernel's count of packets with a source address that cannot
// be (IPReversePathFilter in /proc/net/netstat).
func spoofed(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("/proc/thread-self/net/netstat")
	if err != nil {
		t.Fatal(err)
	}
	var names []string // of the counts in the line that follows
	for line := range strings.Lines(string(raw)) {
		words := strings.Fields(line)
		if i := slices.Index(names, "IPReversePathFilter"); i >= 0 {
			return words[i]
		}
		names = words
	}
	t.Fatal("the kernel does not count them")
	return ""
}

func TestWhatIsTakenStays(t *testing.T) {
	one, two := pod(t, "one"), pod(t, "two")
	a, b := numbered(1), numbered(2)
	attach(t, a, one)
	for name, l := range map[string]Link{
		"name":      {Host: a.Host, HostMAC: b.HostMAC, Pod: b.Pod, PodMAC: b.PodMAC, Addrs: b.Addrs},
		"address":   {Host: b.Host, HostMAC: b.HostMAC, Pod: b.Pod, PodMAC: b.PodMAC, Addrs: a.Addrs},
		"interface": {Host: b.Host, HostMAC: b.HostMAC, Pod: "lo", PodMAC: b.PodMAC, Addrs: b.Addrs},
	} {
		if _, err := l.Make(two.FD()); !errors.Is(err, syscall.EEXIST) {
			t.Errorf("%s: got %v, want EEXIST", name, err)
		}
		if there, err := Exists(b.Host); there || err != nil {
			t.Errorf("%s: a half of a link was left: %v", name, err)
		}
		if err := a.Check(one.FD()); err != nil {
			t.Errorf("%s: the first one was disturbed: %v", name, err)
		}
	}
}

// TestFailedMakeLeavesNoRule has a pod's second link fail when the rule for its
// IPv4 address stands already.
func TestFailedMakeLeavesNoRule(t *testing.T) {
	ns := pod(t, "one")
	attach(t, numbered(1), ns)
	second := numbered(2)
	second.Pod = "net1"
	obstacle := netlink.NewRule()
	obstacle.Priority, obstacle.Table, obstacle.Family = rulePriority, int(ownTable(3)), netlink.FAMILY_V6 // of the pod's third device
	obstacle.Src = &net.IPNet{IP: second.Addrs[1].AsSlice(), Mask: net.CIDRMask(128, 128)}
	if err := ns.Do(func() error { return netlink.RuleAdd(obstacle) }); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Make(ns.FD()); !errors.Is(err, syscall.EEXIST) {
		t.Fatalf("made with %v", err)
	}
	var left []netlink.Rule
	if err := ns.Do(func() (err error) { left, err = netlink.RuleList(netlink.FAMILY_V4); return err }); err != nil {
		t.Fatal(err)
	}
	for _, r := range left {
		if r.Priority == rulePriority {
			t.Errorf("left behind: %s", r)
		}
	}
}

func TestRemove(t *testing.T) {
	ns := pod(t, "one")
	l := numbered(1)
	attach(t, l, ns)
	for range 2 { // what is gone already is no error
		if err := Remove(l.Host); err != nil {
			t.Error(err)
		}
	}
	if err := Remove("lo"); err == nil {
		t.Error("the loopback device was taken for a pod's")
	}
	if err := ns.Do(func() error { _, err := netlink.LinkByName("eth0"); return err }); err == nil {
		t.Error("the pod still has its end")
	}
}

func TestOpenNamespaceRefuses(t *testing.T) {
	pipe := t.TempDir() + "/pipe"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		"/proc/self/ns/uts": "is not a network namespace",
		"/etc/hostname":     "is not a network namespace",
		pipe:                "is not a network namespace",
		"/nowhere":          "no such file",
	} {
		if _, err := OpenNamespace(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", path, err, says)
		}
	}
}
