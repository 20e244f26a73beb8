package echo_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/weft-net/weft/internal/kernel/echo"
	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/internal/netstate"
)

func TestMain(m *testing.M) { os.Exit(netns.Main(m.Run)) }

// Two hosts are joined by a wire. The far one also has addresses to which the
// near one has no route, which goes to a third address on the wire instead, and
// the near one some to which the far one has none.
const (
	away4, away6         = "172.7.1.0", "fd07:1::"
	near4, far4, hidden4 = "10.4.7.1", "10.4.7.2", "172.7.2.0"
	near6, far6, hidden6 = "fd04::1", "fd04::2", "fd07:2::"
)

type wire struct {
	near, far       *netns.NS
	nearMAC, farMAC netstate.MAC
	conn            *echo.Conn
	seq             uint16 // of the last request
}

func newWire(t *testing.T) *wire {
	t.Helper()
	w := &wire{near: namespace(t, "near"), far: namespace(t, "far")}
	within(t, w.near, func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: "eth0", MTU: 1500}, PeerName: "eth0", PeerNamespace: netlink.NsFd(w.far.FD()), PeerMTU: 1500,
		})
	})
	within(t, w.near, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		w.nearMAC = netstate.MAC(l.Attrs().HardwareAddr)
		return errors.Join(number("eth0", near4+"/24", near6+"/64"), number("lo", away4+"/32", away6+"/128"))
	})
	within(t, w.far, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		w.farMAC = netstate.MAC(l.Attrs().HardwareAddr)
		return errors.Join(number("eth0", far4+"/24", far6+"/64"), number("lo", hidden4+"/32", hidden6+"/128"))
	})
	within(t, w.near, func() (err error) {
		w.conn, err = echo.Open()
		return err
	})
	t.Cleanup(func() {
		if err := w.conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func namespace(t *testing.T, name string) *netns.NS {
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

func within(t *testing.T, ns *netns.NS, f func() error) {
	t.Helper()
	if err := ns.Do(f); err != nil {
		t.Fatal(err)
	}
}

// number gives a device addresses that can be used at once, and sets it up.
func number(dev string, addrs ...string) error {
	l, err := netlink.LinkByName(dev)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			return err
		}
		addr.Flags = 0x02 // IFA_F_NODAD
		if err := netlink.AddrAdd(l, addr); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(l)
}

func request(from, to string, size int) echo.Request {
	return echo.Request{Seq: 7, Size: size, Source: netip.MustParseAddr(from), Dest: netip.MustParseAddr(to)}
}

// exchange sends a request until it is answered: an IPv6 address is of no use
// before the kernel has seen that the other end is up.
func (w *wire) exchange(t *testing.T, r echo.Request) {
	t.Helper()
	w.seq++
	r.Seq = w.seq
	found := false
	for deadline := time.Now().Add(10 * time.Second); !found && time.Now().Before(deadline); {
		if err := w.conn.Send(r); err != nil {
			t.Fatal(err)
		}
		w.conn.Wait(100 * time.Millisecond)
		w.conn.Receive(func(a echo.Answer) {
			if a.Seq != r.Seq {
				return // a late one to an earlier request, on a slow machine
			}
			found = true
			if a.From != r.Dest || a.RTT <= 0 || a.RTT > 10*time.Second {
				t.Errorf("%+v", a)
			}
		})
	}
	if !found {
		t.Errorf("%s did not answer %d bytes", r.Dest, r.Size)
	}
}

func TestByTheKernelsRoutes(t *testing.T) {
	w := newWire(t)
	for _, r := range []echo.Request{
		request(near4, far4, 84), request(near6, far6, 84), request(near4, far4, 1500), request(near6, far6, 1500),
	} {
		w.exchange(t, r)
	}
}

// TestMTUsThatCount has the size of packets go by the device, not by what the
// route says: that may be a measure that is to be taken back.
func TestMTUsThatCount(t *testing.T) {
	w := newWire(t)
	within(t, w.near, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		for _, to := range []string{far4 + "/32", far6 + "/128"} {
			_, dst, err := net.ParseCIDR(to)
			if err != nil {
				return err
			}
			if err := netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: dst, MTU: 1300, Scope: netlink.SCOPE_LINK}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, r := range []echo.Request{request(near4, far4, 1500), request(near6, far6, 1500)} {
		w.exchange(t, r)
		r.Size = 1501
		if err := w.conn.Send(r); !errors.Is(err, echo.ErrTooBig) {
			t.Errorf("1501 bytes to %s: %v", r.Dest, err)
		}
	}
}

func TestNoRoute(t *testing.T) {
	w := newWire(t)
	for _, r := range []echo.Request{request(near4, hidden4, 84), request(near6, hidden6, 84), request("10.4.7.77", far4, 84)} {
		if err := w.conn.Send(r); !errors.Is(err, echo.ErrNoWay) {
			t.Errorf("to %s: %v", r.Dest, err)
		}
	}
}

// TestByADeviceWithoutARoute sends frames to a neighbour's MAC.
func TestByADeviceWithoutARoute(t *testing.T) {
	w := newWire(t)
	for _, r := range []echo.Request{request(near4, hidden4, 84), request(near6, hidden6, 84), request(near4, hidden4, 1500), request(near6, hidden6, 1500)} {
		r.Dev, r.MAC = "eth0", w.farMAC
		w.exchange(t, r)
		r.Size = 1501
		if err := w.conn.Send(r); !errors.Is(err, echo.ErrTooBig) {
			t.Errorf("1501 bytes: %v", err)
		}
		r.Dev = "eth7"
		if err := w.conn.Send(r); !errors.Is(err, echo.ErrNoWay) {
			t.Errorf("by a device that does not exist: %v", err)
		}
	}
}

// TestAnswersPassAFirewall has a firewall on the near host that drops what belongs to no
// connection that it has seen begin: frames leave without its knowledge.
func TestAnswersPassAFirewall(t *testing.T) {
	for name, state := range map[string]string{"invalid": "invalid", "established": "!= established"} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			rules := "add table inet f; add chain inet f in { type filter hook input priority 0; };" +
				"add rule inet f in icmp type echo-reply ct state " + state + " drop; add rule inet f in icmpv6 type echo-reply ct state " + state + " drop"
			within(t, w.near, func() error {
				if out, err := exec.Command("nft", rules).CombinedOutput(); err != nil {
					return fmt.Errorf("%w: %s", err, out)
				}
				return nil
			})
			for _, r := range []echo.Request{request(near4, hidden4, 84), request(near6, hidden6, 84), request(near4, far4, 84), request(near6, far6, 1500)} {
				r.Dev, r.MAC = "eth0", w.farMAC
				w.exchange(t, r)
			}
		})
	}
}

// TestReflected has the far host answer by the device that a request came by,
// although it has no route back.
func TestReflected(t *testing.T) {
	w := newWire(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	ways := func(from, to netip.Addr) []echo.Way {
		if to != netip.MustParseAddr(hidden4) && to != netip.MustParseAddr(hidden6) {
			return nil
		}
		return []echo.Way{{Dev: "lo", MAC: w.nearMAC}, {Dev: "eth0", MAC: w.nearMAC}}
	}
	go func() {
		done <- w.far.Do(func() error { return echo.Reflect(ctx, ways) })
	}()
	for _, r := range []echo.Request{request(away4, hidden4, 84), request(away6, hidden6, 84), request(away4, hidden4, 1500), request(away6, hidden6, 1500)} {
		r.Dev, r.MAC, r.Reflect = "eth0", w.farMAC, true
		w.exchange(t, r)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestByANeighbour has the kernel find the neighbour's MAC.
func TestByANeighbour(t *testing.T) {
	w := newWire(t)
	for _, r := range []echo.Request{request(near4, hidden4, 84), request(near6, hidden6, 84)} {
		r.Dev, r.Next = "eth0", netip.MustParseAddr(far4)
		if r.Dest.Is6() {
			r.Next = netip.MustParseAddr(far6)
		}
		if err := w.conn.Send(r); !errors.Is(err, echo.ErrNoWay) {
			t.Errorf("before the neighbour is known: %v", err)
		}
		var err error
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
			if err = w.conn.Send(r); err == nil {
				break
			}
			w.conn.Wait(10 * time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.exchange(t, r)
	}
}

func TestOthersRepliesAreNotReceived(t *testing.T) {
	w := newWire(t)
	var other *echo.Conn
	within(t, w.near, func() (err error) {
		other, err = echo.Open()
		return err
	})
	defer func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}()
	r := request(near4, far4, 84)
	w.exchange(t, r)
	other.Receive(func(a echo.Answer) { t.Errorf("%+v", a) })
}

// BenchmarkExchange is the cost of a request and its answer on the side that
// asks, and on the other side, which is this machine too.
func BenchmarkExchange(b *testing.B) {
	var conn *echo.Conn
	ns, err := netns.New("alone")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ns.Close() })
	err = ns.Do(func() (err error) {
		if err = number("lo"); err == nil {
			conn, err = echo.Open()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	r := request("127.0.0.1", "127.0.0.1", 84)
	answers := 0
	for b.Loop() {
		if err := conn.Send(r); err != nil {
			b.Fatal(err)
		}
		conn.Receive(func(echo.Answer) { answers++ })
	}
	if answers == 0 {
		b.Error("nothing was answered")
	}
}
