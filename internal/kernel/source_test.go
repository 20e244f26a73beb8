package kernel_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/netconf"
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
	defaults, err := k.DefaultRoutes(t.Context())
	want := []host.DefaultRoute{
		{Family: netconf.V4, Dev: "eth0"}, {Family: netconf.V4, Dev: "eth0-peer"},
		{Family: netconf.V4, Dev: "eth0", Metric: 200}, {Family: netconf.V6, Dev: "eth0", Metric: 1024},
	}
	if err != nil || !slices.Equal(defaults, want) {
		t.Errorf("%v %v", defaults, err)
	}
	for dst, dev := range map[string]string{"10.4.7.9": "eth0", "10.8.0.7": "eth0-peer", "fd00:4:7::9": "eth0", "127.0.0.1": "lo"} {
		if got, err := k.RouteTo(t.Context(), netip.MustParseAddr(dst)); got != dev || err != nil {
			t.Errorf("to %s: %s %v", dst, got, err)
		}
	}
	shell(t, ns, "ip route flush default; ip route flush default")
	if _, err := k.RouteTo(t.Context(), netip.MustParseAddr("9.9.9.9")); err == nil {
		t.Error("an address that cannot be reached has a route")
	}
}
