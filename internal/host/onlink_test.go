package host

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestOnLinkIsWhatRoutesSay(t *testing.T) {
	for name, tc := range map[string]struct {
		addrs  []string
		routes []string
		on     string // addresses that are on-link
		off    string // that are not
		inside string // Connected
	}{
		"connected prefixes": {
			addrs:  []string{"10.4.7.21/24", "10.4.9.21/24", "fd07::21/64", "fe80::1/64 link"},
			routes: []string{"10.4.7.0/24 dev eth0", "10.4.9.0/24 dev eth0", "fd07::/64 dev eth0"},
			on:     "10.4.7.1 10.4.7.255 10.4.9.22 fd07::22", off: "10.4.8.22 fd07:0:0:1::22 fe80::2",
			inside: "10.4.7.0/24 10.4.9.0/24 fd07::/64",
		},
		"hosts isolated on the link": {
			addrs:  []string{"10.4.7.21/24"},
			routes: []string{"default via 10.4.7.1 dev eth0", "10.4.7.1/32 dev eth0", "10.4.7.0/24 via 10.4.7.1 dev eth0"},
			on:     "10.4.7.1", off: "10.4.7.22 10.4.7.0 10.4.8.1", inside: "10.4.7.0/24",
		},
		"no route but the default one": {
			addrs: []string{"10.4.7.21/24"}, routes: []string{"default via 10.4.7.1 dev eth0"},
			off: "10.4.7.1 10.4.7.22", inside: "10.4.7.0/24",
		},
		"a link by route": {
			addrs:  []string{"10.4.7.21/32", "fd07::21/128"},
			routes: []string{"10.4.7.0/24 dev eth0", "fd07::/64 dev eth0 ra"},
			on:     "10.4.7.22 fd07::22", off: "10.4.8.22", inside: "10.4.7.0/24 fd07::/64",
		},
		"a part behind a gateway": {
			addrs: []string{"10.4.7.21/24"},
			routes: []string{"10.4.7.0/24 dev eth0", "10.4.7.128/25 via 10.4.7.1 dev eth0", "10.4.7.200/32 dev eth0",
				"10.4.7.77/32 via 10.4.7.1 dev eth0", "10.4.7.64/30"},
			on:     "10.4.7.1 10.4.7.63 10.4.7.76 10.4.7.78 10.4.7.127 10.4.7.200 10.4.7.68",
			off:    "10.4.7.128 10.4.7.199 10.4.7.201 10.4.7.255 10.4.7.77 10.4.7.64 10.4.7.67",
			inside: "10.4.7.0/24",
		},
		"a guest on another interface": {
			addrs: []string{"10.4.7.21/24"}, routes: []string{"10.4.7.0/24 dev eth0", "10.4.7.50/32 dev tap0"},
			on: "10.4.7.22", off: "10.4.7.50", inside: "10.4.7.0/24",
		},
		"the better metric wins": {
			addrs: []string{"10.4.7.21/24", "10.4.8.21/24"},
			routes: []string{"10.4.7.0/24 via 10.4.9.1 dev eth0 metric 50", "10.4.7.0/24 dev eth0 metric 100",
				"10.4.8.0/24 dev eth0 metric 50", "10.4.8.0/24 via 10.4.9.1 dev eth1 metric 100"},
			on: "10.4.8.22", off: "10.4.7.22", inside: "10.4.7.0/24 10.4.8.0/24",
		},
		"two interfaces on one link": {
			addrs: []string{"10.4.7.21/24"}, routes: []string{"10.4.7.0/24 dev eth1 metric 50", "10.4.7.0/24 dev eth0 metric 100"},
			on: "10.4.7.22", inside: "10.4.7.0/24",
		},
		"several ways at once": {
			addrs: []string{"10.4.7.21/24"}, routes: []string{"10.4.0.0/16 dev eth0", "10.4.8.0/24 dev eth0", "10.4.8.0/24 via 10.4.7.1 dev eth0"},
			on: "10.4.9.1", off: "10.4.8.22", inside: "10.4.0.0/16 10.4.7.0/24",
		},
		"a default route without a gateway": {
			addrs: []string{"10.4.7.21/32"}, routes: []string{"default dev eth0"}, off: "10.4.7.22",
		},
		"a wide link around a narrow one": {
			addrs: []string{"10.4.7.21/16"}, routes: []string{"10.4.0.0/16 dev eth0", "10.4.7.0/24 dev eth0"},
			on: "10.4.7.22 10.4.8.22", inside: "10.4.0.0/16 10.4.7.0/24",
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := routes(tc.routes...)
			got := onLink("eth0", all)
			for i, p := range got {
				if i > 0 && (got[i-1].Overlaps(p) || !got[i-1].Addr().Less(p.Addr())) {
					t.Errorf("%v before %v", got[i-1], p)
				}
			}
			for _, list := range []struct {
				text string
				want bool
			}{{tc.on, true}, {tc.off, false}} {
				for text := range strings.FieldsSeq(list.text) {
					if has := slices.ContainsFunc(got, func(p netip.Prefix) bool { return p.Contains(addr(text)) }); has != list.want {
						t.Errorf("%s: on-link %t by %v", text, has, got)
					}
				}
			}
			var inside []string
			for _, p := range connected(iface("eth0", tc.addrs...), all) {
				inside = append(inside, p.String())
			}
			if got := strings.Join(inside, " "); got != tc.inside {
				t.Errorf("connected to %s, want %s", got, tc.inside)
			}
		})
	}
}
