package kernel_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/reconcile"
)

var (
	_ host.Source      = (*kernel.Kernel)(nil)
	_ reconcile.Kernel = (*kernel.Kernel)(nil)
)

func TestHostFacts(t *testing.T) {
	ns := newHost(t)
	shell(t, ns, `
		ip addr add 10.8.0.5/24 dev eth0-peer valid_lft 1000 preferred_lft 0
		ip addr add 169.254.0.5/16 dev eth0-peer scope link
		ip route add default via 10.4.7.1 metric 200
		ip route add default nexthop via 10.4.7.2 nexthop dev eth0-peer
		ip -6 route add default via fd00:4:7::1`)
	k := open(t, ns)
	ifaces, err := k.Interfaces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	find := func(name string) host.Interface {
		i := slices.IndexFunc(ifaces, func(i host.Interface) bool { return i.Name == name })
		if i < 0 {
			t.Fatalf("no %s among %v", name, ifaces)
		}
		return ifaces[i]
	}
	if lo := find("lo"); !lo.Loopback || !lo.Up {
		t.Errorf("%+v", lo)
	}
	eth0 := find("eth0")
	if eth0.Loopback || !eth0.Up || eth0.MTU != 1500 || len(eth0.MAC) != 6 || eth0.Addrs[0] != (host.Addr{Prefix: netip.MustParsePrefix("10.4.7.21/24")}) {
		t.Errorf("%+v", eth0)
	}
	for _, want := range []host.Addr{
		{Prefix: netip.MustParsePrefix("10.8.0.5/24"), Dynamic: true, Deprecated: true},
		{Prefix: netip.MustParsePrefix("169.254.0.5/16"), LinkLocal: true},
	} {
		if got := find("eth0-peer").Addrs; !slices.Contains(got, want) {
			t.Errorf("no %+v among %+v", want, got)
		}
	}
	for dst, want := range map[string]string{"10.4.7.9": "eth0 10.4.7.21", "10.8.0.7": "eth0-peer 10.8.0.5", "fd00:4:7::9": "eth0 fd00:4:7::21", "127.0.0.1": "lo 127.0.0.1"} {
		r, err := k.RouteTo(t.Context(), netip.MustParseAddr(dst))
		if got := r.Dev + " " + r.Src.String(); got != want || err != nil {
			t.Errorf("to %s: %s %v", dst, got, err)
		}
	}
	shell(t, ns, "ip route flush default; ip route flush default")
	if _, err := k.RouteTo(t.Context(), netip.MustParseAddr("9.9.9.9")); err == nil {
		t.Error("an address that cannot be reached has a route")
	}
}

// TestRoutes reads what says where hosts are, in all the forms that ip gives it.
func TestRoutes(t *testing.T) {
	ns := newHost(t)
	shell(t, ns, `
		ip addr add 10.4.9.21/24 dev eth0 noprefixroute
		ip addr add 10.9.9.1/32 dev lo
		ip route add default via 10.4.7.1 src 10.9.9.1 metric 200
		ip route add default nexthop via 10.4.7.2 nexthop dev eth0-peer
		ip -6 route add default via fd00:4:7::1
		ip route add 10.4.9.1 dev eth0 scope link
		ip route add 10.4.9.0/24 via 10.4.9.1
		ip route add 10.4.7.128/25 via 10.4.77.1 dev eth0 onlink
		ip route add 10.4.7.64/26 via inet6 fe80::9 dev eth0
		ip route add 10.4.7.32/28 nexthop via 10.4.7.1 nexthop dev eth0
		ip route add unreachable 10.4.7.16/28
		ip nexthop add id 9 via 10.4.7.3 dev eth0
		ip route add 10.4.7.8/29 nhid 9
		ip nexthop add id 10 dev eth0
		ip route add 10.66.0.0/16 nhid 10
		ip -6 route add fd66::/64 dev eth0 proto ra metric 100
		ip route add 10.77.0.0/16 via 10.4.7.1
		ip route add 10.4.7.99 via 10.4.7.1 table 100
		ip route add 10.4.7.98 via 10.4.7.1 tos 4
		ip route add 10.5.2.0/24 dev eth0 proto 119
		ip route add 10.5.1.7 dev eth0 proto 118`)
	routing, err := open(t, ns).Routing(t.Context(), networks)
	if err != nil {
		t.Fatal(err)
	}
	got := describe(routing.Routes)
	want := []string{
		"0.0.0.0/0 via 10.4.7.2 dev eth0", "0.0.0.0/0 dev eth0-peer", "0.0.0.0/0 via 10.4.7.1 dev eth0 src 10.9.9.1 metric 200",
		"10.4.7.0/24 dev eth0 src 10.4.7.21", "10.4.9.1/32 dev eth0",
		"10.4.9.0/24 via 10.4.9.1 dev eth0", "10.77.0.0/16 via 10.4.7.1 dev eth0", // there are default routes by two devices
		"10.4.7.128/25 via 10.4.77.1 dev eth0", "10.4.7.64/26 via fe80::9 dev eth0",
		"10.4.7.32/28 via 10.4.7.1 dev eth0", "10.4.7.32/28 dev eth0", "10.4.7.16/28 dev ",
		"10.4.7.8/29 via 10.4.7.3 dev eth0", "10.66.0.0/16 dev eth0",
		"fd00:4:7::/64 dev eth0 metric 256", "fd66::/64 dev eth0 metric 100 ra", "::/0 via fd00:4:7::1 dev eth0 metric 1024",
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if first := routing.Routes[0]; first.Dst.Bits() != 0 || !first.Dst.Addr().Is4() || first.Metric != 0 {
		t.Errorf("first is %v", first)
	}
}

// describe returns routes in the words of ip, sorted.
func describe(routes []host.Route) (out []string) {
	for _, r := range routes {
		text := r.Dst.String()
		if r.Gateway.IsValid() {
			text += " via " + r.Gateway.String()
		}
		text += " dev " + r.Dev
		if r.Src.IsValid() {
			text += " src " + r.Src.String()
		}
		if r.Metric != 0 {
			text += fmt.Sprint(" metric ", r.Metric)
		}
		if r.Advert {
			text += " ra"
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

// TestRoutesByNexthopObjects has the kernel tell of objects by their ids alone.
func TestRoutesByNexthopObjects(t *testing.T) {
	const script = `
		ip nexthop add id 1 via 10.4.7.3 dev eth0
		ip nexthop add id 2 via 10.4.7.4 dev eth0
		ip nexthop add id 3 group 1/2
		ip nexthop add id 4 dev eth0
		ip nexthop add id 5 blackhole
		ip -6 nexthop add id 6 via fd00:4:7::3 dev eth0
		ip -6 nexthop add id 7 via fd00:4:7::4 dev eth0
		ip nexthop add id 8 group 6/7
		ip route add default nhid 3
		ip route add 10.66.0.0/16 nhid 4
		ip route add 10.66.1.0/24 nhid 1
		ip route add 10.66.2.0/24 nhid 5
		ip -6 route add default nhid 8`
	want := []string{
		"0.0.0.0/0 via 10.4.7.3 dev eth0", "0.0.0.0/0 via 10.4.7.4 dev eth0", "10.4.7.0/24 dev eth0 src 10.4.7.21",
		"10.66.0.0/16 dev eth0", "10.66.1.0/24 via 10.4.7.3 dev eth0", "10.66.2.0/24 dev ",
		"::/0 via fd00:4:7::3 dev eth0 metric 1024", "::/0 via fd00:4:7::4 dev eth0 metric 1024", "fd00:4:7::/64 dev eth0 metric 256",
	}
	for _, mode := range []string{"0", "1"} {
		ns := newHost(t)
		shell(t, ns, "echo "+mode+" > /proc/sys/net/ipv4/nexthop_compat_mode"+script)
		a := newAgent(t, ns, networks...)
		a.observe()
		routing, err := a.k.Routing(t.Context(), networks)
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(routing.Routes); !slices.Equal(got, want) {
			t.Errorf("mode %s: got\n%s\nwant\n%s", mode, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		a.mustReport(ns, a.watch(), []string{
			"ip nexthop replace id 4 via 10.4.7.9 dev eth0", "ip nexthop replace id 2 via 10.4.7.5 dev eth0",
			"ip nexthop add id 9 via 10.4.7.6 dev eth0; ip nexthop replace id 3 group 1/9", "ip nexthop del id 4",
			"ip nexthop add id 4 dev eth0; ip route add 10.66.0.0/16 nhid 4",
		})
	}
}

// TestWhoIsBehindAnInterface tells bridges of containers, and devices of
// overlays, from interfaces with other hosts behind them.
func TestWhoIsBehindAnInterface(t *testing.T) {
	ns := newHost(t)
	shell(t, ns, `
		for b in empty pods lan; do ip link add $b type bridge; done
		ip link add p1 type veth peer name p1-peer
		ip link set p1 master pods
		ip link add p2 type veth peer name p2-peer
		ip link set p2 master lan
		ip link add vx0 type vxlan id 7 dstport 4789 dev eth0
		ip link set vx0 master lan
		ip link add flannel.9 type vxlan id 9 dstport 4790 dev eth0
		ip link add flannel-wg type bridge`)
	ifaces, err := open(t, ns).Interfaces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range ifaces {
		if i.Local || i.Overlay {
			got = append(got, fmt.Sprint(i.Name, " local ", i.Local, " overlay ", i.Overlay))
		}
	}
	slices.Sort(got)
	want := []string{"empty local true overlay false", "flannel-wg local true overlay true", "flannel.9 local false overlay true", "pods local true overlay false"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
