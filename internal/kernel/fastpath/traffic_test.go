package fastpath

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/test/absence"
)

// world is two hosts on a wire with a pod each, connected as flanneld would.
const world = `
set -e
mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns
for n in 1 2; do
	ip netns add h$n; ip netns add p$n
	ip netns exec h$n sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/icmp_ratelimit' # each error is answered
	ip -n h$n link set lo up
done
ip link add up0 netns h1 type veth peer name up0 netns h2
for n in 1 2; do
	o=$((3 - n))
	ip -n h$n addr add 10.4.0.$n/24 dev up0; ip -n h$n link set up0 up
	ip -n h$n link add flannel.1 mtu 1450 address 02:00:00:00:09:0$n type vxlan id 1 local 10.4.0.$n dev up0 dstport 8472 nolearning noudpcsum
	ip -n h$n addr add 10.5.$n.0/32 dev flannel.1; ip -n h$n link set flannel.1 up
	ip -n h$n neigh add 10.5.$o.0 lladdr 02:00:00:00:09:0$o dev flannel.1 nud permanent
	ip netns exec h$n bridge fdb add 02:00:00:00:09:0$o dst 10.4.0.$o dev flannel.1
	ip -n h$n route add 10.5.$o.0/24 via 10.5.$o.0 dev flannel.1 onlink
POD
done
`

// Pods of world: behind a veth, as CNI type weft makes them, or on a bridge, with
// a service that the host translates while packets pass the bridge.
const (
	behindVeth = `
	ip link add pod netns h$n mtu 1450 address 02:00:00:00:02:0$n type veth peer name eth0 netns p$n mtu 1450 address 02:00:00:00:01:0$n
	ip -n h$n link set pod up; ip -n h$n route add 10.5.$n.7/32 dev pod
	ip -n h$n neigh add 10.5.$n.7 lladdr 02:00:00:00:01:0$n dev pod
	ip -n p$n link set lo up; ip -n p$n link set eth0 up; ip -n p$n addr add 10.5.$n.7/32 dev eth0
	ip -n p$n neigh add 169.254.1.1 lladdr 02:00:00:00:02:0$n dev eth0 nud permanent
	ip -n p$n route add 169.254.1.1 dev eth0 scope link; ip -n p$n route add default via 169.254.1.1
`
	onBridge = `
	ip -n h$n link add cni0 mtu 1450 address 02:00:00:00:02:0$n type bridge
	ip -n h$n addr add 10.5.$n.1/24 dev cni0; ip -n h$n link set cni0 up
	ip link add pod netns h$n mtu 1450 type veth peer name eth0 netns p$n mtu 1450 address 02:00:00:00:01:0$n
	ip -n h$n link set pod master cni0 up
	ip -n p$n link set lo up; ip -n p$n link set eth0 up; ip -n p$n addr add 10.5.$n.7/24 dev eth0
	ip -n p$n route add default via 10.5.$n.1
	ip netns exec h$n sh -c 'echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables'
	ip netns exec h$n nft "table ip services { chain pre { type nat hook prerouting priority -100; ip daddr 10.9.9.9 dnat to 10.5.$o.7; }; }"
`
)

// newWorld makes the world with pods as given, and the fast paths of its hosts.
func newWorld(t testing.TB, pods string) map[int]*Conn {
	t.Helper()
	absence.Tcx(t)
	if out, err := exec.Command("sh", "-c", strings.Replace(world, "POD", pods, 1)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root := t.TempDir()
	t.Cleanup(func() {
		_ = unix.Unmount(root, unix.MNT_DETACH)
		_ = exec.Command("sh", "-c", "for n in h1 h2 p1 p2; do ip netns del $n; done").Run()
		_ = unix.Unmount("/run/netns", unix.MNT_DETACH)
	})
	if err := unix.Mount("bpf", root, "bpf", 0, ""); err != nil {
		t.Fatal(err)
	}
	return map[int]*Conn{1: {do: in("h1"), root: root}, 2: {do: in("h2"), root: root}}
}

// in runs f on a thread in a network namespace of world.
func in(name string) func(func() error) error {
	return func(f func() error) error {
		done := make(chan error)
		go func() {
			runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
			fd, err := unix.Open(filepath.Join("/run/netns", name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err == nil {
				err = errors.Join(unix.Setns(fd, unix.CLONE_NEWNET), unix.Close(fd))
			}
			if err == nil {
				err = f()
			}
			done <- err
		}()
		return <-done
	}
}

// routeDirectly has host n of world reach the other pod without the tunnel.
func routeDirectly(t testing.TB, n int) {
	t.Helper()
	out, err := exec.Command("ip", "-n", fmt.Sprintf("h%d", n), "route", "replace", fmt.Sprintf("10.5.%d.0/24", 3-n), "via", fmt.Sprintf("10.4.0.%d", 3-n)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// fastHost wants a fast path on host n of world.
func fastHost(t testing.TB, n int, pods string, direct bool) *netstate.State {
	t.Helper()
	near := "fastpod weft 10.5.N.7 dev pod mac 02:00:00:00:01:0N via 02:00:00:00:02:0N mtu 1450\nfasthook weft pod pod"
	if pods == onBridge {
		near = "fastbridge weft 10.5.N.0/24 dev cni0 mtu 1450\nfasthook weft cni0 bridge"
	}
	mac := "mac 02:00:00:00:09:0O"
	if direct {
		mac = ""
	}
	s, err := netstate.Parse(strings.NewReader(strings.NewReplacer("N", fmt.Sprint(n), "O", fmt.Sprint(3-n), "CODE", Code(), "MAC", strings.ReplaceAll(mac, "O", fmt.Sprint(3-n))).Replace(`
fastpath weft mode all dev up0 vni 1 local 10.4.0.N port 8472 mac 02:00:00:00:09:0N code CODE
fastremote weft 10.5.O.0/24 host 10.4.0.O MAC mtu 1450
` + near + `
fasthook weft up0 uplink
`)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTrafficIsTheSame sends the same by the kernel's path and by the fast path, of
// one host, of the other and of both, and compares what arrives.
func TestTrafficIsTheSame(t *testing.T) {
	for name, pods := range map[string]string{"behind a veth": behindVeth, "on a bridge": onBridge} {
		t.Run(name, func(t *testing.T) {
			conns := newWorld(t, pods)
			for _, direct := range []bool{false, true} {
				sameTraffic(t, conns, pods, direct)
			}
		})
	}
}

func sameTraffic(t *testing.T, conns map[int]*Conn, pods string, direct bool) {
	t.Helper()
	// What a bridge would have to cut into segments stays with the kernel, and so does the rest of the stream.
	least := uint64(200)
	if direct {
		for n := 1; n <= 2; n++ {
			routeDirectly(t, n)
		}
	} else if pods == onBridge {
		least = 10
	}
	var first string
	for _, fast := range [][]int{{}, {1}, {2}, {1, 2}} {
		for n, c := range conns {
			want := &netstate.State{}
			if slices.Contains(fast, n) {
				want = fastHost(t, n, pods, direct)
			}
			c.reach(t, want)
		}
		got := traffic(t, pods)
		if len(fast) == 0 {
			first = got
		}
		if got != first {
			t.Errorf("direct %v, fast path on hosts %v:\n%s\nwithout:\n%s", direct, fast, got, first)
		}
		for _, n := range fast {
			counts, err := conns[n].Count("weft")
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("direct %v, fast path on hosts %v: host %d counted %v", direct, fast, n, counts)
			// What does not fit goes in fragments, and one datagram ran out of hops.
			if counts.Fast < least || counts.Slow["ttl"] == 0 || counts.Slow["fragment"] == 0 || counts.Slow["destination"]+counts.Slow["other"] > 0 {
				t.Errorf("direct %v, fast path on hosts %v: host %d counted %v", direct, fast, n, counts)
			}
		}
	}
	for _, c := range conns {
		c.reach(t, &netstate.State{})
	}
}

// traffic sends from the first pod to the second and back, and says what arrived.
func traffic(t *testing.T, pods string) string {
	t.Helper()
	var out strings.Builder
	var server *ipv4.PacketConn
	var listener net.Listener
	err := in("p2")(func() error {
		c, err := net.ListenPacket("udp4", "10.5.2.7:0")
		if err != nil {
			return err
		}
		server = ipv4.NewPacketConn(c)
		if err := server.SetControlMessage(ipv4.FlagTTL, true); err != nil {
			return err
		}
		listener, err = net.Listen("tcp4", "10.5.2.7:0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = server.Close(), listener.Close() }()
	go serve(listener)
	err = in("p1")(func() error {
		if err := datagrams(&out, server); err != nil {
			return err
		}
		if pods == onBridge {
			if err := toService(&out, server); err != nil {
				return err
			}
		}
		return stream(&out, listener.Addr())
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// datagrams sends some of all sizes, and of few hops, and answers each.
func datagrams(out io.Writer, server *ipv4.PacketConn) error {
	for _, d := range []struct{ size, ttl int }{{0, 64}, {1, 64}, {100, 64}, {1421, 64}, {1422, 64}, {1423, 64}, {9000, 64}, {10, 1}, {10, 2}, {10, 3}} {
		c, err := net.DialUDP("udp4", nil, server.LocalAddr().(*net.UDPAddr))
		if err != nil {
			return err
		}
		got, err := exchange(c, server, d.size, d.ttl)
		if err = errors.Join(err, c.Close()); err != nil {
			return err
		}
		fmt.Fprintf(out, "%d bytes with TTL %d: %s\n", d.size, d.ttl, got)
	}
	return nil
}

// toService sends some to the service, whose answers have its address.
func toService(out io.Writer, server *ipv4.PacketConn) error {
	to := *server.LocalAddr().(*net.UDPAddr)
	to.IP = net.ParseIP(service)
	c, err := net.DialUDP("udp4", nil, &to)
	if err != nil {
		return err
	}
	for n := range 3 {
		got, err := exchange(c, server, n, 64)
		if err != nil {
			return errors.Join(fmt.Errorf("to a service: %w", err), c.Close())
		}
		fmt.Fprintf(out, "%d bytes to a service: %s\n", n, got)
	}
	return c.Close()
}

// exchange sends a datagram and its answer. A datagram that runs out of hops
// comes back as an error of its socket.
func exchange(c *net.UDPConn, server *ipv4.PacketConn, size, ttl int) (string, error) {
	if err := ipv4.NewConn(c).SetTTL(ttl); err != nil {
		return "", err
	}
	if raw, err := c.SyscallConn(); err != nil {
		return "", err
	} else if err := raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVERR, 1) }); err != nil {
		return "", err
	}
	if _, err := c.Write(count(size)); err != nil {
		return "", err
	}
	patience := time.Now().Add(10 * time.Second)
	buffer := make([]byte, 1<<16)
	if ttl < 3 { // three routers' worth of hops: this host, the other, the pod
		_ = c.SetReadDeadline(patience)
		_, err := c.Read(buffer)
		return fmt.Sprint("error ", errors.Is(err, unix.EHOSTUNREACH)), nil
	}
	_ = server.SetReadDeadline(patience)
	n, control, from, err := server.ReadFrom(buffer)
	if err != nil {
		return "", fmt.Errorf("datagram of %d bytes: %w", size, err)
	}
	same := bytes.Equal(buffer[:n], count(size))
	arrived := fmt.Sprintf("arrived whole %v with TTL %d", same, control.TTL)
	if _, err := server.WriteTo(buffer[:n], nil, from); err != nil {
		return "", err
	}
	_ = c.SetReadDeadline(patience)
	n, err = c.Read(buffer)
	return fmt.Sprintf("%s, answer whole %v", arrived, bytes.Equal(buffer[:n], count(size))), err
}

// serve answers each connection with what it has read, and its sum.
func serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		all, _ := io.ReadAll(c)
		sum := sha256.Sum256(all)
		_, _ = c.Write(append(sum[:], all...))
		_ = c.Close()
	}
}

// stream sends 4 MiB over TCP, and gets them back.
func stream(out io.Writer, to net.Addr) error {
	d := net.Dialer{Timeout: 10 * time.Second}
	c, err := d.Dial("tcp4", to.String())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	sent := count(4 << 20)
	if _, err := c.Write(sent); err != nil {
		return err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	back, err := io.ReadAll(c)
	sum := sha256.Sum256(sent)
	fmt.Fprintf(out, "stream: %d bytes back, whole %v\n", len(back), bytes.Equal(back, append(sum[:], sent...)))
	return err
}
