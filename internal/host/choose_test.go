package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fixed is a system in memory.
type fixed struct {
	ifaces []Interface
	routes []Route
	rules  []PolicyRule
	to     map[netip.Addr]Route
}

func (f fixed) Interfaces(context.Context) ([]Interface, error) { return f.ifaces, nil }
func (f fixed) Barriers(context.Context) ([]Barrier, error)     { return nil, nil }
func (f fixed) FastPath(context.Context) (FastPath, error)      { return FastPath{}, nil }
func (f fixed) Params(context.Context, []string) (Params, error) {
	return Params{}, nil
}
func (f fixed) Routing(context.Context, []netip.Prefix) (Routing, error) {
	return Routing{Rules: f.rules, Routes: f.routes}, nil
}
func (f fixed) RouteTo(_ context.Context, dst netip.Addr) (Route, error) {
	if r, ok := f.to[dst]; ok {
		return r, nil
	}
	return Route{}, errors.New("network is unreachable")
}

// noDefaults leaves only the routes to links.
func (f *fixed) noDefaults() {
	f.routes = slices.DeleteFunc(f.routes, func(r Route) bool { return r.Dst.Bits() == 0 })
}

// routes reads routes in the words of ip: "10.4.7.0/24 via 10.4.7.1 dev eth0
// src 10.4.7.21 metric 50 ra", with "default" and "default6".
func routes(texts ...string) (out []Route) {
	for _, text := range texts {
		w := strings.Fields(text)
		r := Route{Advert: slices.Contains(w, "ra"), Table: MainTable, Wide: slices.Contains(w, "wide")}
		if r.Throw = w[0] == "throw"; r.Throw {
			w = w[1:]
		}
		switch w[0] {
		case "default":
			r.Dst = netip.MustParsePrefix("0.0.0.0/0")
		case "default6":
			r.Dst = netip.MustParsePrefix("::/0")
		default:
			r.Dst = netip.MustParsePrefix(w[0])
		}
		for i := 1; i+1 < len(w); i++ {
			switch w[i] {
			case "via":
				r.Gateway = netip.MustParseAddr(w[i+1])
			case "dev":
				r.Dev = w[i+1]
			case "src":
				r.Src = netip.MustParseAddr(w[i+1])
			case "metric":
				n, _ := strconv.Atoi(w[i+1])
				r.Metric = uint32(n)
			case "table":
				n, _ := strconv.Atoi(w[i+1])
				r.Table = uint32(n)
			}
		}
		out = append(out, r)
	}
	return out
}

// iface reads addresses with marks: "10.0.0.1/24 link dynamic".
func iface(name string, addrs ...string) Interface {
	i := Interface{Name: name, MTU: 1500, Up: true, Loopback: name == "lo"}
	for _, text := range addrs {
		words := strings.Fields(text)
		i.Addrs = append(i.Addrs, Addr{
			Prefix:     netip.MustParsePrefix(words[0]),
			LinkLocal:  slices.Contains(words, "link"),
			Dynamic:    slices.Contains(words, "dynamic"),
			Temporary:  slices.Contains(words, "temporary"),
			Deprecated: slices.Contains(words, "deprecated"),
			Secondary:  slices.Contains(words, "secondary"),
		})
	}
	return i
}

func system() fixed {
	return fixed{
		ifaces: []Interface{
			iface("lo", "127.0.0.1/8 link", "::1/128 link"),
			iface("eth0", "10.4.7.21/24", "10.4.9.21/24", "fd07::21/64", "fe80::1/64 link"),
			iface("eth1", "192.168.1.5/24 dynamic", "169.254.0.5/16 link"),
			iface("docker0", "172.17.0.1/16"),
			{Name: "flannel.7", MTU: 1450, Up: true, Tunnel: true, Addrs: []Addr{{Prefix: netip.MustParsePrefix("172.9.1.0/32")}}},
		},
		routes: routes(
			"default via 192.168.1.1 dev eth1 metric 100", "default via 10.4.7.1 dev eth0 metric 200",
			"10.4.7.0/24 dev eth0", "10.4.9.0/24 dev eth0", "192.168.1.0/24 dev eth1", "172.17.0.0/16 dev docker0",
			"fd07::/64 dev eth0", "default6 via fe80::1 dev eth0 metric 1024 ra",
		),
		to: map[netip.Addr]Route{
			addr("10.4.7.1"): routes("10.4.7.1/32 dev eth0 src 10.4.7.21")[0],
			addr("10.4.9.1"): routes("10.4.9.1/32 dev eth0 src 10.4.9.21")[0],
		},
	}
}

var networks = []netip.Prefix{netip.MustParsePrefix("10.5.0.0/16"), netip.MustParsePrefix("fd05::/48")}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestChoose(t *testing.T) {
	v4, v6, dual := networks[:1], networks[1:], networks
	for name, tc := range map[string]struct {
		opts     Options
		networks []netip.Prefix
		change   func(*fixed)
		uplink   string
		addrs    string
		public   string
		reason   string
	}{
		"default route, best metric":        {networks: v4, uplink: "eth1", addrs: "192.168.1.5", reason: "default route"},
		"default route, other family":       {networks: v6, uplink: "eth0", addrs: "fd07::21"},
		"dual stack needs one interface":    {networks: dual, uplink: "eth0", addrs: "10.4.7.21 fd07::21"},
		"by name":                           {opts: Options{Iface: []string{"eth0"}}, networks: v4, uplink: "eth0", addrs: "10.4.7.21", reason: "--iface eth0"},
		"by address":                        {opts: Options{Iface: []string{"10.4.9.21"}}, networks: v4, uplink: "eth0", addrs: "10.4.9.21"},
		"first that exists":                 {opts: Options{Iface: []string{"eth9", "eth0", "eth1"}}, networks: v4, uplink: "eth0", addrs: "10.4.7.21"},
		"names before patterns":             {opts: Options{Iface: []string{"eth9"}, IfaceRegex: []string{"^eth1$"}}, networks: v4, uplink: "eth1", addrs: "192.168.1.5", reason: "--iface-regex ^eth1$"},
		"pattern on an address":             {opts: Options{IfaceRegex: []string{`^10\.4\.9\.`}}, networks: v4, uplink: "eth0", addrs: "10.4.9.21"},
		"reaching":                          {opts: Options{CanReach: addr("10.4.7.1")}, networks: v4, uplink: "eth0", addrs: "10.4.7.21"},
		"names before reaching":             {opts: Options{Iface: []string{"eth1"}, CanReach: addr("10.4.7.1")}, networks: v4, uplink: "eth1", addrs: "192.168.1.5"},
		"public address finds its own":      {opts: Options{Public: []netip.Addr{addr("10.4.9.21")}}, networks: v4, uplink: "eth0", addrs: "10.4.9.21", public: "10.4.9.21"},
		"public address of elsewhere (NAT)": {opts: Options{Public: []netip.Addr{addr("203.0.113.9")}}, networks: v4, uplink: "eth1", addrs: "192.168.1.5", public: "203.0.113.9"},
		"reaching from another address":     {opts: Options{CanReach: addr("10.4.9.1")}, networks: v4, uplink: "eth0", addrs: "10.4.9.21"},
		"public address beside --iface":     {opts: Options{Iface: []string{"eth0"}, Public: []netip.Addr{addr("10.4.9.21")}}, networks: v4, uplink: "eth0", addrs: "10.4.9.21", public: "10.4.9.21"},
		"no default route, one usable": {networks: v4, uplink: "eth0", addrs: "10.4.7.21", reason: "only candidate",
			change: func(f *fixed) { f.noDefaults(); f.ifaces = f.ifaces[:2] }},
		"no default route, overlay left behind": {networks: v4, uplink: "eth0", addrs: "10.4.7.21", reason: "only candidate",
			change: func(f *fixed) {
				f.noDefaults()
				f.ifaces = append(f.ifaces[:2:2], iface("flannel.1", "10.5.1.0/32"), iface("cni0", "10.5.1.1/24"))
			}},
		"lasting before leased, global before link": {networks: v4, uplink: "eth1", addrs: "192.168.1.6",
			change: func(f *fixed) {
				f.ifaces[2] = iface("eth1", "169.254.0.5/16 link", "192.168.1.5/24 dynamic", "192.168.1.6/24")
			}},
		"never temporary or deprecated": {networks: v6, uplink: "eth0", addrs: "fd07::3",
			change: func(f *fixed) {
				f.ifaces[1] = iface("eth0", "fd07::1/64 temporary", "fd07::2/64 deprecated", "fd07::3/64 dynamic")
			}},
	} {
		t.Run(name, func(t *testing.T) {
			sys := system()
			if tc.change != nil {
				tc.change(&sys)
			}
			got, err := Choose(t.Context(), sys, tc.opts, tc.networks, Uplink{})
			if err != nil {
				t.Fatal(err)
			}
			if got.Uplink.Name != tc.uplink || join(got.Uplink.Addrs) != tc.addrs {
				t.Errorf("uplink %s with %s, want %s with %s", got.Uplink.Name, join(got.Uplink.Addrs), tc.uplink, tc.addrs)
			}
			if tc.public == "" {
				tc.public = tc.addrs
			}
			if join(got.Public) != tc.public {
				t.Errorf("announces %s, want %s", join(got.Public), tc.public)
			}
			if tc.reason != "" && got.Uplink.Reason != tc.reason {
				t.Errorf("reason %q, want %q", got.Uplink.Reason, tc.reason)
			}
		})
	}
}

// describe is the interface, its MTU and the addresses.
func describe(u Uplink) string { return fmt.Sprint(u.Name, " ", u.MTU, " ", join(u.Addrs)) }

func join(addrs []netip.Addr) string {
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return strings.Join(out, " ")
}

func TestAdvertsAreFactsOfTheirInterfaces(t *testing.T) {
	sys := system()
	sys.ifaces = append(sys.ifaces, iface("eth9", "fd09::5/64 dynamic"), iface("eth8", "fd09::6/128 dynamic"))
	got, err := Choose(t.Context(), sys, Options{Iface: []string{"eth1"}}, networks[:1], Uplink{})
	if want := []string{"eth0", "eth9"}; err != nil || !slices.Equal(got.Adverts, want) {
		t.Errorf("%v, want %v; %v", got.Adverts, want, err)
	}
}

func TestRefusalSaysWhyEachInterfaceWasPassedOver(t *testing.T) {
	for name, tc := range map[string]struct {
		opts   Options
		change func(*fixed)
		says   []string
	}{
		"named, but down": {Options{Iface: []string{"eth0"}}, func(f *fixed) { f.ifaces[1].Up = false },
			[]string{"eth0: is down", "lo: is the loopback", "docker0: not selected: not named"}},
		"MTU 0":           {Options{Iface: []string{"eth0"}}, func(f *fixed) { f.ifaces[1].MTU = 0 }, []string{"eth0: has MTU 0"}},
		"no address":      {Options{Iface: []string{"eth1"}}, func(f *fixed) { f.ifaces[2].Addrs = nil }, []string{"eth1: has no usable ipv4 address"}},
		"unknown name":    {Options{Iface: []string{"eth7"}}, func(*fixed) {}, []string{"eth7: no interface has this name", "eth0: not selected: not named", "--iface"}},
		"several, no way": {Options{}, (*fixed).noDefaults, []string{"eth0: usable, but not the only one", "docker0: usable", "name the interface with --iface"}},
		"bad pattern":     {Options{IfaceRegex: []string{"("}}, func(*fixed) {}, []string{"--iface-regex", "missing closing"}},
		"unreachable":     {Options{CanReach: addr("9.9.9.9")}, func(*fixed) {}, []string{"--iface-can-reach 9.9.9.9", "unreachable"}},
		"nothing there":   {Options{}, func(f *fixed) { *f = fixed{} }, []string{"there are no interfaces"}},
	} {
		sys := system()
		tc.change(&sys)
		_, err := Choose(t.Context(), sys, tc.opts, networks[:1], Uplink{})
		for _, want := range tc.says {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error does not say %q:\n%v", name, want, err)
			}
		}
	}
}
