package fastpath

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/test/twohosts"
)

// echoServer listens in a namespace and sends back what it reads.
func echoServer(t *testing.T, space, addr string) net.Addr {
	t.Helper()
	var l net.Listener
	err := twohosts.In(space)(func() (err error) {
		l, err = net.Listen("tcp4", addr)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c}) // no splice(2): bytes are copied
				_ = c.Close()
			}()
		}
	}()
	return l.Addr()
}

// dial connects from a namespace.
func dial(space, to string) (c net.Conn, err error) {
	err = twohosts.In(space)(func() (err error) {
		c, err = net.DialTimeout("tcp4", to, 20*time.Second)
		return err
	})
	return c, err
}

// exchangeBytes sends n bytes by a connection to an echo server and compares them.
func exchangeBytes(c net.Conn, n int) error {
	sent := count(n)
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	failed := make(chan error, 1)
	go func() {
		_, err := c.Write(sent)
		failed <- err
	}()
	back := make([]byte, n)
	_, err := io.ReadFull(c, back)
	if err == nil && !bytes.Equal(back, sent) {
		err = errors.New("the bytes that came back are others")
	}
	return errors.Join(err, <-failed)
}

// invalid drops what connection tracking takes for invalid, as kube-proxy's rules do.
const invalid = `
for n in 1 2; do
	ip netns exec h$n nft 'add table inet other; add chain inet other f { type filter hook forward priority 0; }; add rule inet other f ct state invalid counter drop'
done
`

// TestFlowsSurviveChanges: connections go on, and new ones can be made, whatever
// happens to the fast path, to the backend and to connection tracking under them.
func TestFlowsSurviveChanges(t *testing.T) {
	for _, liberal := range []bool{false, true} {
		t.Run(fmt.Sprint("liberal ", liberal), func(t *testing.T) { flowsSurvive(t, liberal) })
	}
}

func flowsSurvive(t *testing.T, liberal bool) {
	conns := newWorld(t, twohosts.Wire, twohosts.Veth)
	rules := twohosts.Firewall + invalid
	if liberal {
		rules += "for n in 1 2; do ip netns exec h$n sh -c 'echo 1 >/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal'; done\n"
	}
	if err := twohosts.Run(rules); err != nil {
		t.Fatal(err)
	}
	direct := false
	set := func(modes ...string) { // of each host
		for i, mode := range modes {
			want := &netstate.State{}
			if mode != "" {
				want = altered(t, fastHost(t, i+1, twohosts.Veth, direct), "mode all", "mode "+mode)
			}
			conns[i+1].reach(t, want)
		}
	}
	routes := func(script string) {
		if err := twohosts.Run(script); err != nil {
			t.Fatal(err)
		}
	}
	const all, established = netstate.FastAll, netstate.FastEstablished
	steps := []struct {
		name    string
		do      func()
		liberal bool // only where connection tracking is
	}{
		{"the kernel's path", func() { set("", "") }, false},
		{"fast at the first host", func() { set(all, "") }, false},
		{"fast at both", func() { set(all, all) }, false},
		{"fast at the second host", func() { set("", all) }, false},
		{"the kernel's path again", func() { set("", "") }, false},
		{"fast at both again", func() { set(all, all) }, false},
		{"a policy on both hosts", func() { set(established, established) }, true},
		{"a policy on the first host", func() { set(established, all) }, true},
		{"the policy gone", func() { set(all, all) }, false},
		{"connection tracking emptied", func() { forget(t) }, false},
		{"a policy after that", func() { set(established, established) }, true},
		{"connection tracking emptied under a policy", func() { forget(t) }, true},
		{"without a tunnel", func() {
			direct = true
			set(all, all)
			if err := twohosts.RouteDirectly(); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"with the tunnel again", func() {
			direct = false
			set(all, all)
			routes("for n in 1 2; do o=$((3 - n)); ip -n h$n route replace 10.5.$o.0/24 via 10.5.$o.0 dev flannel.1 onlink; done")
		}, false},
		{"the kernel's path at last", func() { set("", "") }, false},
	}
	to := echoServer(t, "p2", "10.5.2.7:0").String()
	var flows []net.Conn
	for _, s := range steps {
		if s.liberal && !liberal {
			continue
		}
		s.do()
		c, err := dial("p1", to)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		t.Cleanup(func() { _ = c.Close() })
		flows = append(flows, c)
		for i, c := range flows {
			if err := exchangeBytes(c, 100_000); err != nil {
				t.Errorf("%s: connection %d of %d: %v", s.name, i+1, len(flows), err)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// offloads are features of devices that veths have, by ethtool's requests.
var offloads = []struct {
	name    string
	request uint32
}{
	{"tx", unix.ETHTOOL_STXCSUM}, {"rx", unix.ETHTOOL_SRXCSUM}, {"sg", unix.ETHTOOL_SSG},
	{"tso", unix.ETHTOOL_STSO}, {"gso", unix.ETHTOOL_SGSO}, {"gro", unix.ETHTOOL_SGRO},
}

// offload sets those whose bit is set, and clears the others.
func offload(space, dev string, bits int) error {
	return twohosts.In(space)(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }()
		for i, o := range offloads {
			value := struct{ cmd, data uint32 }{o.request, uint32(bits >> i & 1)}
			request := struct {
				name [unix.IFNAMSIZ]byte
				data unsafe.Pointer
			}{data: unsafe.Pointer(&value)}
			copy(request.name[:], dev)
			if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
				return fmt.Errorf("set %s of %s in %s to %d: %w", o.name, dev, space, value.data, errno)
			}
		}
		return nil
	})
}

// TestOffloadsDoNotMatter sends streams both ways with all combinations of offloads of
// the pod's device, the host's end of it and the uplink.
func TestOffloadsDoNotMatter(t *testing.T) {
	conns := newWorld(t, twohosts.Wire, twohosts.Veth)
	if err := twohosts.Run(twohosts.Firewall); err != nil {
		t.Fatal(err)
	}
	to := echoServer(t, "p2", "10.5.2.7:0").String()
	for _, direct := range []bool{false, true} {
		if direct {
			if err := twohosts.RouteDirectly(); err != nil {
				t.Fatal(err)
			}
		}
		for n, c := range conns {
			c.reach(t, fastHost(t, n, twohosts.Veth, direct))
		}
		for bits := range 1 << len(offloads) {
			before, err := conns[1].Count("weft")
			if err != nil {
				t.Fatal(err)
			}
			for n := 1; n <= 2; n++ {
				for _, d := range []struct{ space, dev string }{{"p", "eth0"}, {"h", "pod"}, {"h", twohosts.Wire}} {
					if err := offload(fmt.Sprint(d.space, n), d.dev, bits); err != nil {
						t.Fatal(err)
					}
				}
			}
			c, err := dial("p1", to)
			if err != nil {
				t.Fatalf("direct %v, offloads %06b: %v", direct, bits, err)
			}
			if err := exchangeBytes(c, 1<<18); err != nil {
				t.Errorf("direct %v, offloads %06b: %v", direct, bits, err)
			}
			_ = c.Close()
			if counts, err := conns[1].Count("weft"); err != nil || counts.Fast < before.Fast+10 || counts.Slow["other"] > 0 {
				t.Errorf("direct %v, offloads %06b: counted %+v, %v", direct, bits, counts, err)
			}
		}
	}
}
