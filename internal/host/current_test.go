package host

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// TestFirstChoice chooses where nothing is announced yet.
func TestFirstChoice(t *testing.T) {
	v4, v6 := networks[:1], networks[1:]
	eth0 := routes("default via 10.4.7.1 dev eth0 metric 100", "10.4.7.0/24 dev eth0", "default6 via fe80::1 dev eth0")
	bgp := fixed{
		ifaces: []Interface{iface("lo", "127.0.0.1/8", "10.9.9.1/32", "::1/128"), iface("eth0", "fe80::21/64 link"), iface("eth1", "192.168.1.5/24")},
		routes: routes("default via fe80::1 dev eth0 src 10.9.9.1", "default via 192.168.1.1 dev eth1 metric 100"),
	}
	bgp.ifaces[0].MTU = 65536
	for name, tc := range map[string]struct {
		sys      fixed
		opts     Options
		networks []netip.Prefix
		want     string // interface, MTU, addresses; or what the error says
	}{
		"a virtual address is second to a leased one": {want: "eth0 1500 10.4.7.21",
			sys: fixed{[]Interface{iface("eth0", "10.4.7.100/32", "10.4.7.21/24 dynamic")}, eth0, nil, nil}},
		"as secondary": {want: "eth0 1500 10.4.7.21",
			sys: fixed{[]Interface{iface("eth0", "10.4.7.21/24 dynamic", "10.4.7.100/24 secondary")}, eth0, nil, nil}},
		"IPv6 lists the newest first": {networks: v6, want: "eth0 1500 fd07::21",
			sys: fixed{[]Interface{iface("eth0", "fd07::100/128", "fd07::21/64 dynamic", "fe80::1/64 link")}, eth0, nil, nil}},
		"the oldest IPv6 address of a prefix": {networks: v6, want: "eth0 1500 fd07::21",
			sys: fixed{[]Interface{iface("eth0", "fd07::101/64", "fd07::21/64", "fe80::1/64 link")}, eth0, nil, nil}},
		"the source of the default route goes first": {want: "eth0 1500 10.4.9.21",
			sys: fixed{[]Interface{iface("eth0", "10.4.7.21/24", "10.4.9.21/24")}, routes("default via 10.4.7.1 dev eth0 src 10.4.9.21"), nil, nil}},
		"permanent before leased": {want: "eth0 1500 10.4.8.21",
			sys: fixed{[]Interface{iface("eth0", "10.4.7.21/24 dynamic", "10.4.8.21/24")}, eth0, nil, nil}},
		"only a link-local address": {networks: v6, want: "eth0: has no usable ipv6 address",
			sys: fixed{[]Interface{iface("eth0", "10.4.7.21/24", "fe80::1/64 link")}, eth0, nil, nil}},
		"the node's own address": {want: "eth0 1500 10.4.7.50", opts: Options{Node: []netip.Addr{addr("fd07::9"), addr("10.4.7.50")}},
			sys: fixed{[]Interface{iface("eth0", "10.4.7.21/24", "10.4.7.50/24 secondary")}, eth0, nil, nil}},
		"the node's own address on another interface": {want: "eth1 1500 10.8.0.2", opts: Options{Node: []netip.Addr{addr("10.8.0.2")}},
			sys: fixed{[]Interface{iface("eth0", "10.4.7.21/24"), iface("eth1", "10.8.0.2/24")}, eth0, nil, nil}},
		"the node's own address on the named interface": {want: "eth0 1500 10.4.7.50", opts: Options{Iface: []string{"eth0"}, Node: []netip.Addr{addr("10.4.7.50")}},
			sys: fixed{[]Interface{iface("eth0", "10.4.7.21/24", "10.4.7.50/24 secondary")}, eth0, nil, nil}},
		"another interface is named": {want: "eth0 1500 10.4.7.21", opts: Options{Iface: []string{"eth0"}, Node: []netip.Addr{addr("10.8.0.2")}},
			sys: fixed{[]Interface{iface("eth0", "10.4.7.21/24"), iface("eth1", "10.8.0.2/24")}, eth0, nil, nil}},
		"the public address goes before the node's": {want: "eth0 1500 10.4.7.21", opts: Options{Public: []netip.Addr{addr("10.4.7.21")}, Node: []netip.Addr{addr("10.4.7.50")}},
			sys: fixed{[]Interface{iface("eth0", "10.4.7.21/24", "10.4.7.50/24 secondary")}, eth0, nil, nil}},
		"the node's address is elsewhere": {want: "eth0 1500 10.4.7.21", opts: Options{Node: []netip.Addr{addr("203.0.113.9")}},
			sys: fixed{[]Interface{iface("eth0", "10.4.7.21/24")}, eth0, nil, nil}},
		"the address is on the loopback":   {sys: bgp, want: "eth0 1500 10.9.9.1"},
		"the loopback is named":            {sys: bgp, opts: Options{Iface: []string{"lo"}}, want: "eth0 1500 10.9.9.1"},
		"its address is named":             {sys: bgp, opts: Options{Iface: []string{"10.9.9.1"}}, want: "eth0 1500 10.9.9.1"},
		"its address is the public one":    {sys: bgp, opts: Options{Public: []netip.Addr{addr("10.9.9.1")}}, want: "eth0 1500 10.9.9.1"},
		"the loopback has nothing to tell": {sys: system(), opts: Options{Iface: []string{"lo"}}, want: "lo: has no usable ipv4 address"},
		"the loopback without a way out": {sys: fixed{ifaces: bgp.ifaces}, opts: Options{Iface: []string{"lo"}},
			want: "lo: no default route tells by which interface its packets leave"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.networks == nil {
				tc.networks = v4
			}
			got, err := Choose(t.Context(), tc.sys, tc.opts, tc.networks, Uplink{})
			if err != nil {
				if !strings.Contains(err.Error(), tc.want) {
					t.Errorf("want %s:\n%v", tc.want, err)
				}
				return
			}
			if u := got.Uplink; describe(u) != tc.want {
				t.Errorf("%s, want %s", describe(u), tc.want)
			}
		})
	}
}

// TestOthers names what was not chosen, without addresses that peers cannot send
// to and those of containers' interfaces.
func TestOthers(t *testing.T) {
	down, bridge, tunnel := iface("eth2", "10.4.8.2/24"), iface("docker0", "172.17.0.1/16"), iface("flannel.1", "172.7.21.0/32")
	down.Up, bridge.Local, tunnel.Overlay = false, true, true
	sys := fixed{
		ifaces: []Interface{
			iface("lo", "127.0.0.1/8", "10.9.9.1/32"), iface("eth0", "10.4.7.21/24", "10.4.7.100/32", "fd07::21/64"), iface("cni0", "172.7.21.1/24"),
			iface("tun0", "10.8.0.2/24", "169.254.7.7/16"), down, bridge, tunnel,
		},
		routes: routes("default via 10.4.7.1 dev eth0"),
	}
	v4 := []netip.Prefix{netip.MustParsePrefix("172.7.0.0/16")}
	got, err := Choose(t.Context(), sys, Options{}, v4, Uplink{})
	want := []Other{{addr("10.4.7.100"), "eth0"}, {addr("10.9.9.1"), "lo"}, {addr("10.8.0.2"), "tun0"}}
	if err != nil || !slices.Equal(got.Others, want) {
		t.Errorf("%v, %v, want %v", got.Others, err, want)
	}
}

// TestWhatIsAnnouncedStays changes a host, running and over a restart, after
// which only the announced addresses are known.
func TestWhatIsAnnouncedStays(t *testing.T) {
	add := func(name string, addrs ...string) func(*fixed) {
		return func(f *fixed) {
			i := slices.IndexFunc(f.ifaces, func(i Interface) bool { return i.Name == name })
			if i < 0 {
				f.ifaces = append(f.ifaces, iface(name, addrs...))
				return
			}
			f.ifaces[i].Addrs = append(iface(name, addrs...).Addrs, f.ifaces[i].Addrs...)
		}
	}
	route := func(texts ...string) func(*fixed) {
		return func(f *fixed) { f.routes = append(routes(texts...), f.routes...) }
	}
	for name, tc := range map[string]struct {
		dual    bool
		change  []func(*fixed)
		want    string
		restart string // if it differs
	}{
		"nothing":                      {want: "eth0 1500 10.4.7.21"},
		"a virtual address":            {change: []func(*fixed){add("eth0", "10.4.7.100/32")}, want: "eth0 1500 10.4.7.21"},
		"one of its own prefix":        {change: []func(*fixed){add("eth0", "10.4.6.100/24")}, want: "eth0 1500 10.4.7.21"},
		"one of both families":         {dual: true, change: []func(*fixed){add("eth0", "10.4.7.100/24", "fd07::100/64")}, want: "eth0 1500 10.4.7.21 fd07::21"},
		"a better default route":       {change: []func(*fixed){add("tun0", "10.8.0.2/24"), route("default dev tun0 metric 50")}, want: "eth0 1500 10.4.7.21"},
		"a source named by the route":  {change: []func(*fixed){add("eth0", "10.4.9.21/24"), route("default via 10.4.9.1 dev eth0 src 10.4.9.21 metric 50")}, want: "eth0 1500 10.4.7.21"},
		"the default route moves":      {change: []func(*fixed){(*fixed).noDefaults, add("tun0", "10.8.0.2/24"), route("default dev tun0 metric 50")}, want: "tun0 1500 10.8.0.2"},
		"the default route is gone":    {change: []func(*fixed){(*fixed).noDefaults, add("eth1", "10.8.0.2/24")}, want: "eth0 1500 10.4.7.21", restart: "eth1: usable, but not the only one"},
		"one family moves":             {dual: true, change: []func(*fixed){(*fixed).noDefaults, add("eth1", "10.8.0.2/24", "fd08::2/64"), route("default via 10.8.0.1 dev eth1", "default6 via fe80::1 dev eth0")}, want: "eth1 1500 10.8.0.2 fd08::2"},
		"the address is gone":          {change: []func(*fixed){func(f *fixed) { f.ifaces[1] = iface("eth0", "10.4.7.52/24", "fd07::21/64") }}, want: "eth0 1500 10.4.7.52"},
		"the address of one family is": {dual: true, change: []func(*fixed){func(f *fixed) { f.ifaces[1] = iface("eth0", "10.4.7.52/24", "10.4.7.53/24", "fd07::21/64") }}, want: "eth0 1500 10.4.7.52 fd07::21"},
		"the address is deprecated":    {change: []func(*fixed){func(f *fixed) { f.ifaces[1].Addrs[0].Deprecated = true }, add("eth0", "10.4.7.52/24")}, want: "eth0 1500 10.4.7.52"},
		"the interface is down": {change: []func(*fixed){func(f *fixed) { f.ifaces[1].Up = false }, add("eth1", "10.8.0.2/24"), route("default via 10.8.0.1 dev eth1 metric 500")},
			want: "eth1 1500 10.8.0.2"},
	} {
		t.Run(name, func(t *testing.T) {
			nets := networks[:1]
			if tc.dual {
				nets = networks
			}
			before := fixed{
				ifaces: []Interface{iface("lo", "127.0.0.1/8"), iface("eth0", "10.4.7.21/24 dynamic", "fd07::21/64 dynamic")},
				routes: routes("default via 10.4.7.1 dev eth0 metric 100", "10.4.7.0/24 dev eth0", "default6 via fe80::1 dev eth0"),
			}
			first, err := Choose(t.Context(), before, Options{}, nets, Uplink{})
			if err != nil {
				t.Fatal(err)
			}
			for _, change := range tc.change {
				change(&before)
			}
			check := func(current Uplink, want string) Facts {
				got, err := Choose(t.Context(), before, Options{}, nets, current)
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("want %s: %v", want, err)
				}
				if err == nil && describe(got.Uplink) != want {
					t.Errorf("%s, want %s", describe(got.Uplink), want)
				}
				return got
			}
			now := check(first.Uplink, tc.want)
			check(now.Uplink, tc.want)
			if tc.restart == "" {
				tc.restart = tc.want
			}
			check(Uplink{Addrs: first.Public}, tc.restart)
		})
	}
}

// TestTheNodesAddressStays has a node whose address is not that of the default
// route's interface, and one that became known after something was announced.
func TestTheNodesAddressStays(t *testing.T) {
	sys := fixed{
		ifaces: []Interface{iface("eth0", "10.4.7.21/24"), iface("eth1", "10.8.0.2/24", "10.8.0.3/24")},
		routes: routes("default via 10.4.7.1 dev eth0"),
	}
	at := Options{Node: []netip.Addr{addr("10.8.0.3")}}
	for _, tc := range []struct {
		current Uplink
		opts    Options
		want    string
	}{
		{Uplink{}, at, "eth1 1500 10.8.0.3"},
		{Uplink{Name: "eth1", Addrs: []netip.Addr{addr("10.8.0.3")}}, at, "eth1 1500 10.8.0.3"},
		{Uplink{Addrs: []netip.Addr{addr("10.8.0.3")}}, at, "eth1 1500 10.8.0.3"},
		{Uplink{Addrs: []netip.Addr{addr("10.4.7.21")}}, at, "eth0 1500 10.4.7.21"},
		{Uplink{Name: "eth0", Addrs: []netip.Addr{addr("10.4.7.21")}}, at, "eth0 1500 10.4.7.21"},
	} {
		got, err := Choose(t.Context(), sys, tc.opts, networks[:1], tc.current)
		if err != nil || describe(got.Uplink) != tc.want {
			t.Errorf("with %v: %s, %v, want %s", tc.current.Addrs, describe(got.Uplink), err, tc.want)
		}
	}
}

// TestNamedInterfaceKeepsItsAddress adds a virtual address beside a leased one.
func TestNamedInterfaceKeepsItsAddress(t *testing.T) {
	sys := fixed{ifaces: []Interface{iface("eth0", "10.4.6.100/24", "10.4.7.21/24 dynamic")}}
	for _, current := range []Uplink{{Addrs: []netip.Addr{addr("10.4.7.21")}}, {Name: "eth0", Addrs: []netip.Addr{addr("10.4.7.21")}}} {
		got, err := Choose(t.Context(), sys, Options{Iface: []string{"eth0"}}, networks[:1], current)
		if err != nil || describe(got.Uplink) != "eth0 1500 10.4.7.21" {
			t.Errorf("%s %v", describe(got.Uplink), err)
		}
	}
}
