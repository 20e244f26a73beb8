package host

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestAttached(t *testing.T) {
	down := iface("eth3", "10.33.0.5/24")
	down.Up = false
	bridge := iface("cni0", "10.5.21.1/24", "fd05:0:0:21::1/64")
	bridge.Local = true
	overlay := iface("flannel0", "10.5.21.0/16")
	overlay.Overlay = true
	src := fixed{
		ifaces: []Interface{
			iface("lo", "127.0.0.1/8 link", "::1/128 link", "10.9.9.1/32"), iface("eth0", "10.4.7.21/24", "fd07::21/64", "fe80::1/64 link"),
			iface("eth1", "192.168.50.5/24", "192.168.50.6/24 secondary", "169.254.0.5/16 link", "fe80::2/64 link", "fd50::5/64", "10.7.7.7/32"),
			iface("wg0", "10.8.0.2/32"), down, bridge, overlay,
		},
		routes: routes("default via 10.4.7.1 dev eth0", "default6 via fd07::1 dev eth0", "10.4.7.0/24 dev eth0", "192.168.50.0/24 dev eth1",
			"10.20.0.0/16 dev wg0", "10.8.0.1/32 dev wg0", "10.4.8.0/24 dev eth0", "10.21.0.0/16 via 10.4.7.1 dev eth0",
			"10.5.21.0/24 dev cni0", "10.5.0.0/16 dev flannel0", "10.22.0.0/16"),
	}
	f, err := Choose(t.Context(), src, Options{}, networks, Uplink{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range f.Attached {
		got = append(got, fmt.Sprint(a.Prefix, " ", a.Dev, " ", a.Local))
	}
	want := []string{
		"10.5.21.0/24 cni0 true", "10.20.0.0/16 wg0 false",
		"192.168.50.0/24 eth1 false", "fd05:0:0:21::/64 cni0 true", "fd50::/64 eth1 false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTaken(t *testing.T) {
	at := func(p, dev string) Attached { return Attached{Prefix: netip.MustParsePrefix(p), Dev: dev} }
	f := Facts{
		Uplink: Uplink{
			Name: "eth0", Addrs: []netip.Addr{addr("10.4.7.21")},
			Connected: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.4.7.0/24")},
		},
		Attached: []Attached{at("172.0.0.0/8", "eth1"), at("172.7.0.0/16", "eth2"), at("172.7.3.0/24", "eth3")},
	}
	for network, want := range map[string]string{
		"10.244.0.0/16": "",                                     // a part of the uplink's network
		"10.4.0.0/16":   "10.0.0.0/8 eth0, 10.4.7.0/24 eth0",    // so is this one, with the uplink's address in it
		"172.7.0.0/16":  "172.7.0.0/16 eth2, 172.7.3.0/24 eth3", // and a part of eth1's
		"172.7.0.0/20":  "172.7.3.0/24 eth3",                    // of eth2's, too
		"172.0.0.0/7":   "172.0.0.0/8 eth1, 172.7.0.0/16 eth2, 172.7.3.0/24 eth3",
		"fd05::/48":     "",
	} {
		var got []string
		for _, a := range f.Taken(netip.MustParsePrefix(network)) {
			got = append(got, a.Prefix.String()+" "+a.Dev)
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%s: taken %q, want %q", network, got, want)
		}
	}
}
