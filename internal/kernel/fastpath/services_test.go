package fastpath

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/test/twohosts"
)

// Rules of services as kube-proxy writes them, of its modes: a service with the second
// pod behind it and one with the first, a port of all nodes that masquerades, one that
// keeps the client's address, and what connection tracking takes for invalid dropped.
const (
	servicesNFT = `
for n in 1 2; do ip netns exec h$n nft -f - <<EOF
table ip kube-proxy {
	chain pre { type nat hook prerouting priority dstnat; jump services; }
	chain out { type nat hook output priority -100; jump services; }
	chain services {
		meta l4proto { tcp, udp } ip saddr 10.5.2.7 ip daddr 10.96.0.1 th dport 80 meta mark set meta mark or 0x4000
		meta l4proto { tcp, udp } ip saddr 10.5.1.7 ip daddr 10.96.0.2 th dport 80 meta mark set meta mark or 0x4000
		meta l4proto tcp ip daddr 10.96.0.1 tcp dport 80 dnat to 10.5.2.7:7000
		meta l4proto udp ip daddr 10.96.0.1 udp dport 80 dnat to 10.5.2.7:7000
		meta l4proto tcp ip daddr 10.96.0.2 tcp dport 80 dnat to 10.5.1.7:7000
		meta l4proto udp ip daddr 10.96.0.2 udp dport 80 dnat to 10.5.1.7:7000
		fib daddr type local tcp dport 30080 meta mark set meta mark or 0x4000
		fib daddr type local tcp dport 30080 dnat to 10.5.2.7:7000
		fib daddr type local tcp dport 30081 dnat to 10.5.1.7:7000
	}
	chain post { type nat hook postrouting priority srcnat - 5; meta mark & 0x4000 != 0 masquerade fully-random; }
	chain forward { type filter hook forward priority filter; ct state invalid drop; }
}
EOF
done
`
	servicesIPTables = `
for n in 1 2; do ip netns exec h$n iptables-nft-restore <<EOF
*nat
:KUBE-SERVICES - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-SERVICES -s 10.5.2.7/32 -d 10.96.0.1/32 -j KUBE-MARK-MASQ
-A KUBE-SERVICES -s 10.5.1.7/32 -d 10.96.0.2/32 -j KUBE-MARK-MASQ
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.5.2.7:7000
-A KUBE-SERVICES -d 10.96.0.1/32 -p udp -m udp --dport 80 -j DNAT --to-destination 10.5.2.7:7000
-A KUBE-SERVICES -d 10.96.0.2/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.5.1.7:7000
-A KUBE-SERVICES -d 10.96.0.2/32 -p udp -m udp --dport 80 -j DNAT --to-destination 10.5.1.7:7000
-A KUBE-SERVICES -p tcp -m tcp --dport 30080 -m addrtype --dst-type LOCAL -j KUBE-MARK-MASQ
-A KUBE-SERVICES -p tcp -m tcp --dport 30080 -m addrtype --dst-type LOCAL -j DNAT --to-destination 10.5.2.7:7000
-A KUBE-SERVICES -p tcp -m tcp --dport 30081 -m addrtype --dst-type LOCAL -j DNAT --to-destination 10.5.1.7:7000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
COMMIT
*filter
-A FORWARD -m conntrack --ctstate INVALID -j DROP
COMMIT
EOF
done
`
)

// outside is an address behind the second host, to which the first one routes.
const outside = `
ip -n h2 addr add 192.0.2.9/32 dev lo
ip -n h1 route add default via 10.4.0.2
`

// calls are connections, and the source that the server must see.
var calls = []struct{ network, name, space, to, source string }{
	{"tcp4", "to a pod", "p1", "10.5.2.7:7000", "10.5.1.7"},
	{"udp4", "to a pod", "p1", "10.5.2.7:7000", "10.5.1.7"},
	{"tcp4", "to a service with a pod elsewhere", "p1", "10.96.0.1:80", "10.5.1.7"},
	{"udp4", "to a service with a pod elsewhere", "p1", "10.96.0.1:80", "10.5.1.7"},
	{"tcp4", "to a service with the other pod, from the second", "p2", "10.96.0.2:80", "10.5.2.7"},
	{"udp4", "to a service with the other pod, from the second", "p2", "10.96.0.2:80", "10.5.2.7"},
	{"tcp4", "to a service with the pod itself", "p1", "10.96.0.2:80", ""},
	{"tcp4", "to a service, from a host", "h1", "10.96.0.1:80", ""},
	{"tcp4", "to a node's port with a pod elsewhere", "h2", "10.4.0.1:30080", ""},
	{"tcp4", "to a node's port with a pod elsewhere, from a pod", "p1", "10.4.0.1:30080", ""},
	{"tcp4", "to a published port", "h2", "10.4.0.1:30081", "10.4.0.2"},
	{"tcp4", "to a published port, from a pod elsewhere", "p2", "10.4.0.1:30081", ""},
	{"tcp4", "to the outside", "p1", "192.0.2.9:7000", "10.4.0.1"},
	{"udp4", "to the outside", "p1", "192.0.2.9:7000", "10.4.0.1"},
}

// tellSource serves TCP and UDP in a namespace: it says which source it sees, and then
// sends back what it reads.
func tellSource(t *testing.T, space, addr string) {
	t.Helper()
	var l net.Listener
	var u net.PacketConn
	err := twohosts.In(space)(func() (err error) {
		if l, err = net.Listen("tcp4", addr); err != nil {
			return err
		}
		u, err = net.ListenPacket("udp4", addr)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = l.Close(), u.Close() })
	source := func(a net.Addr) []byte {
		host, _, _ := net.SplitHostPort(a.String())
		return fmt.Appendf(nil, "%-20s", host)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = c.Write(source(c.RemoteAddr()))
				_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
				_ = c.Close()
			}()
		}
	}()
	go func() {
		for buffer := make([]byte, 1<<16); ; {
			n, from, err := u.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = u.WriteTo(append(source(from), buffer[:n]...), from)
		}
	}()
}

// call makes one, and returns the source that the server saw.
func call(network, space, to string) (source string, err error) {
	var c net.Conn
	err = twohosts.In(space)(func() (err error) {
		c, err = net.DialTimeout(network, to, 20*time.Second)
		return err
	})
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	seen := make([]byte, 20)
	if network == "tcp4" {
		if _, err := io.ReadFull(c, seen); err != nil {
			return "", err
		}
		return strings.TrimSpace(string(seen)), exchangeBytes(c, 100_000)
	}
	for size := range 3 { // the later ones are of a flow that is known
		sent := count(size * 700)
		if _, err := c.Write(sent); err != nil {
			return "", err
		}
		back := make([]byte, 1<<16)
		n, err := c.Read(back)
		if err != nil || n < 20 {
			return "", fmt.Errorf("%d bytes came back: %w", n, err)
		}
		if !slices.Equal(back[20:n], sent) {
			return "", fmt.Errorf("%d bytes came back as others", len(sent))
		}
		copy(seen, back)
	}
	return strings.TrimSpace(string(seen)), nil
}

// TestServicesAreTheSame: with rules as kube-proxy's every client reaches what it would
// without the fast path, and is seen under the same address.
func TestServicesAreTheSame(t *testing.T) {
	for name, rules := range map[string]string{"nftables": servicesNFT, "iptables": servicesIPTables} {
		t.Run(name, func(t *testing.T) {
			conns := newWorld(t, twohosts.Wire, twohosts.Veth)
			if err := twohosts.Run(twohosts.Firewall + rules + outside); err != nil {
				t.Fatal(err)
			}
			tellSource(t, "p1", "10.5.1.7:7000")
			tellSource(t, "p2", "10.5.2.7:7000")
			tellSource(t, "h2", "192.0.2.9:7000")
			for _, direct := range []bool{false, true} {
				if direct {
					if err := twohosts.RouteDirectly(); err != nil {
						t.Fatal(err)
					}
				}
				compareCalls(t, conns, direct)
			}
		})
	}
}

func compareCalls(t *testing.T, conns map[int]*Conn, direct bool) {
	t.Helper()
	usual := map[int]string{}
	for _, fast := range [][]int{{}, {1}, {2}, {1, 2}} {
		for n, c := range conns {
			want := &netstate.State{}
			if slices.Contains(fast, n) {
				want = fastHost(t, n, twohosts.Veth, direct)
			}
			c.reach(t, want)
		}
		forget(t)
		for i, c := range calls {
			source, err := call(c.network, c.space, c.to)
			switch {
			case err != nil:
				t.Errorf("direct %v, fast path on hosts %v: %s %s: %v", direct, fast, c.network, c.name, err)
			case len(fast) == 0:
				usual[i] = source
			}
			if err == nil && (source != usual[i] || c.source != "" && source != c.source) {
				t.Errorf("direct %v, fast path on hosts %v: %s %s: seen as %s, without the fast path as %s, want %s", direct, fast, c.network, c.name, source, usual[i], c.source)
			}
		}
		for _, n := range fast {
			if counts, err := conns[n].Count("weft"); err != nil || counts.Fast < 20 || n == 1 && counts.Slow["nat"] == 0 {
				t.Errorf("direct %v, fast path on hosts %v: host %d counted %+v, %v", direct, fast, n, counts, err)
			}
		}
	}
	if testing.Verbose() {
		t.Logf("direct %v: sources %v", direct, usual)
	}
}
