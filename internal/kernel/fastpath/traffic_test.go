package fastpath

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/test/absence"
	"github.com/weft-net/weft/test/twohosts"
)

// newWorld makes two hosts with pods as given, and returns their fast paths.
func newWorld(t *testing.T, uplink, pods string) map[int]*Conn {
	t.Helper()
	absence.Tcx(t)
	remove, err := twohosts.Build(uplink, pods)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	t.Cleanup(func() {
		_ = unix.Unmount(root, unix.MNT_DETACH)
		remove()
	})
	if err := unix.Mount("bpf", root, "bpf", 0, ""); err != nil {
		t.Fatal(err)
	}
	return map[int]*Conn{1: {do: twohosts.In("h1"), root: root}, 2: {do: twohosts.In("h2"), root: root}}
}

// fastHost wants a fast path on host n.
func fastHost(t *testing.T, n int, pods string, direct bool) *netstate.State {
	t.Helper()
	s, err := twohosts.Want(n, pods, direct, Code())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// altered returns a state with other words in place of some.
func altered(t *testing.T, s *netstate.State, from, to string) *netstate.State {
	t.Helper()
	out, err := netstate.Parse(strings.NewReader(strings.ReplaceAll(s.String()+"\n", from, to)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTrafficIsTheSame sends the same by the kernel's path and by the fast path, of
// one host, of the other and of both, and compares what arrives.
func TestTrafficIsTheSame(t *testing.T) {
	for _, c := range []struct{ name, uplink, pods, rules string }{
		{"behind a veth", twohosts.Wire, twohosts.Veth, ""},
		{"behind a veth with connection tracking", twohosts.Wire, twohosts.Veth, twohosts.Firewall},
		{"behind a veth by a VLAN", twohosts.VLAN, twohosts.Veth, twohosts.Firewall},
		{"on a bridge", twohosts.Wire, twohosts.Bridge, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			absence.Tcx(t)
			if c.uplink == twohosts.VLAN {
				absence.VLAN(t)
			}
			conns := newWorld(t, c.uplink, c.pods)
			if err := twohosts.Run(c.rules); err != nil {
				t.Fatal(err)
			}
			for _, direct := range []bool{false, true} {
				sameTraffic(t, conns, c.uplink, c.pods, direct)
			}
		})
	}
}

func sameTraffic(t *testing.T, conns map[int]*Conn, uplink, pods string, direct bool) {
	t.Helper()
	// What a bridge would have to cut into segments stays with the kernel, and so does the rest of the stream.
	least := uint64(200)
	if direct {
		if err := twohosts.RouteDirectly(); err != nil {
			t.Fatal(err)
		}
	} else if pods == twohosts.Bridge {
		least = 10
	}
	var first string
	for _, fast := range [][]int{{}, {1}, {2}, {1, 2}} {
		for n, c := range conns {
			want := &netstate.State{}
			if slices.Contains(fast, n) {
				want = altered(t, fastHost(t, n, pods, direct), " "+twohosts.Wire+" ", " "+uplink+" ")
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
	err := twohosts.In("p2")(func() error {
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
	err = twohosts.In("p1")(func() error {
		if err := datagrams(&out, server); err != nil {
			return err
		}
		if pods == twohosts.Bridge {
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
	to.IP = net.ParseIP(twohosts.Service)
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
