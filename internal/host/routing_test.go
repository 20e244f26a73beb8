package host

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/netconf"
)

// rules reads policy rules in the words of ip-rule(8): "100: not from 10.0.0.0/8
// to 10.4.0.0/16 iif lo oif eth0 fwmark 7 lookup main suppress_prefixlength 0".
func rules(texts ...string) (out []PolicyRule) {
	for _, text := range texts {
		w := strings.Fields(text)
		n, _ := strconv.Atoi(strings.TrimSuffix(w[0], ":"))
		r := PolicyRule{Family: netconf.V4, Priority: uint32(n), Suppress: -1, Not: slices.Contains(w, "not")}
		for i, word := range w {
			next := append(w, "")[i+1]
			number, _ := strconv.ParseUint(next, 0, 32)
			switch word {
			case "inet6":
				r.Family = netconf.V6
			case "from", "to":
				p, err := netip.ParsePrefix(next)
				if a, single := netip.ParseAddr(next); err != nil && single == nil {
					p = netip.PrefixFrom(a, a.BitLen())
				}
				if word == "from" {
					r.Src = p
				} else {
					r.Dst = p
				}
			case "iif":
				r.In = next
			case "oif":
				r.Out = next
			case "fwmark":
				r.Mark, r.Mask = uint32(number), ^uint32(0)
			case "dport":
				r.Ports = true
			case "lookup":
				r.Table = map[string]uint32{"main": MainTable, "default": DefaultTable, "local": LocalTable}[next] + uint32(number)
				r.VRF = next == "[l3mdev-table]"
			case "suppress_prefixlength":
				r.Suppress = int(number)
			case "goto":
				r.Action, r.Target = Goto, uint32(number)
			case "unreachable":
				r.Action = Refuse
			}
		}
		out = append(out, r)
	}
	return out
}

// Rules of hosts that are met with. main stands at the end of each.
var (
	ordinary  = rules("0: from all lookup local", "32766: from all lookup main", "32767: from all lookup default")
	wireguard = slices.Concat(rules("32764: from all lookup main suppress_prefixlength 0", "32765: not from all fwmark 0xca6c lookup 51820"), ordinary[1:])
	exitNode  = slices.Concat(rules("5210: from all fwmark 0x80000 lookup main", "5270: from all lookup 52"), ordinary[1:])
	perUplink = slices.Concat(rules("100: from 10.4.7.21 lookup 100", "101: from 192.168.1.5 lookup 101"), ordinary[1:])
	vrfRules  = slices.Concat(rules("1000: from all lookup [l3mdev-table]"), ordinary[1:])
)

func TestPolicyRuleAsText(t *testing.T) {
	for _, text := range []string{
		"0: from all lookup local", "100: from 10.4.7.21 lookup 100", "32764: from all lookup main suppress_prefixlength 0",
		"32765: not from all fwmark 0xca6c lookup 51820", "7: from 10.0.0.0/8 to 10.4.0.0/16 iif lo oif eth0 goto 9", "8: from all unreachable",
		"1000: from all lookup [l3mdev-table]",
	} {
		if got := rules(text)[0].String(); got != text {
			t.Errorf("%s, want %s", got, text)
		}
	}
}

// TestUplinkByPolicy chooses where not the main table alone decides.
func TestUplinkByPolicy(t *testing.T) {
	eth0 := iface("eth0", "10.4.7.21/24")
	two := []Interface{iface("lo", "127.0.0.1/8"), eth0, iface("eth1", "192.168.1.5/24")}
	inVRF := eth0
	inVRF.VRF, inVRF.Table = "blue", 10
	links := []string{"10.4.7.0/24 dev eth0", "192.168.1.0/24 dev eth1"}
	for name, tc := range map[string]struct {
		ifaces  []Interface
		rules   []PolicyRule
		routes  []string
		current Uplink
		want    string
		reason  string
		on, off string // addresses that are on-link, and that are not
	}{
		"default routes of tables alone": {two, perUplink, []string{"default via 192.168.1.1 dev eth1 table 101", "default via 10.4.7.1 dev eth0 table 100"}, Uplink{},
			"eth0 1500 10.4.7.21", otherTable, "10.4.7.22", "10.4.8.22"},
		"main's goes first": {two, perUplink, []string{"default via 10.4.7.1 dev eth0 table 100", "default via 192.168.1.1 dev eth1"}, Uplink{},
			"eth1 1500 192.168.1.5", mainTable, "", ""},
		"a table that no rule leads to": {two, ordinary, []string{"default via 10.4.7.1 dev eth0 table 100", "default via 192.168.1.1 dev eth1"}, Uplink{},
			"eth1 1500 192.168.1.5", mainTable, "", ""},
		"the table of another's address": {two, perUplink, []string{"default via 10.4.7.1 dev eth0 table 101"}, Uplink{},
			"eth0 1500 192.168.1.5", otherTable, "", ""},
		"a VPN in place of main's": {two, wireguard, []string{"default dev eth1 table 51820", "default via 10.4.7.1 dev eth0"}, Uplink{},
			"eth0 1500 10.4.7.21", mainTable, "10.4.7.22", ""},
		"marked packets": {two, slices.Concat(rules("9: from all fwmark 0x7 lookup 7"), ordinary), []string{"default dev eth1 table 7", "default via 10.4.7.1 dev eth0 metric 9"}, Uplink{},
			"eth0 1500 10.4.7.21", mainTable, "", ""},
		"a VRF": {[]Interface{inVRF}, vrfRules, []string{"default via 10.4.7.1 dev eth0 table 10", "10.4.7.0/24 dev eth0 table 10"}, Uplink{},
			"eth0 1500 10.4.7.21", otherTable, "", "10.4.7.22"},
		"main's has gone, and its rule keeps the uplink": {two, perUplink, []string{"default via 192.168.1.1 dev eth1", "default via 10.4.7.1 dev eth0 table 100"},
			Uplink{Name: "eth0", Addrs: []netip.Addr{addr("10.4.7.21")}, Reason: mainTable}, "eth0 1500 10.4.7.21", otherTable, "", ""},
		"main's has gone, and a VPN's stands": {two, wireguard, []string{"default dev eth1 table 51820"},
			Uplink{Name: "eth0", Addrs: []netip.Addr{addr("10.4.7.21")}, Reason: mainTable}, "eth0 1500 10.4.7.21", mainTable, "", ""},
		"the table's default route moves": {two, perUplink, []string{"default via 192.168.1.1 dev eth1 table 101"},
			Uplink{Name: "eth0", Addrs: []netip.Addr{addr("10.4.7.21")}, Reason: otherTable}, "eth1 1500 192.168.1.5", otherTable, "", ""},
		"a link that only the uplink's table knows": {[]Interface{iface("eth0", "10.4.7.21/32")}, perUplink,
			[]string{"default via 10.4.7.1 dev eth0 table 100", "10.4.6.0/24 dev eth0 table 100"}, Uplink{}, "eth0 1500 10.4.7.21", otherTable, "10.4.6.22", "10.4.5.1"},
		"a gateway ahead of the link": {two, slices.Concat(rules("9: from all to 10.4.7.128/25 lookup 9"), ordinary),
			[]string{"default via 10.4.7.1 dev eth0", "10.4.0.0/16 via 10.4.7.1 dev eth0 table 9"}, Uplink{}, "eth0 1500 10.4.7.21", mainTable, "10.4.7.22", "10.4.7.129"},
	} {
		t.Run(name, func(t *testing.T) {
			sys := fixed{ifaces: tc.ifaces, routes: routes(tc.routes...), rules: tc.rules}
			if len(tc.ifaces) > 1 {
				sys.routes = append(sys.routes, routes(links...)...)
			}
			got, err := Choose(t.Context(), sys, Options{}, networks[:1], tc.current)
			if err != nil {
				t.Fatal(err)
			}
			if u := got.Uplink; describe(u) != tc.want || u.Reason != tc.reason {
				t.Errorf("%s by %s, want %s by %s", describe(u), u.Reason, tc.want, tc.reason)
			}
			for text := range strings.FieldsSeq(tc.on + " " + tc.off) {
				link := slices.ContainsFunc(got.Uplink.OnLink, func(p netip.Prefix) bool { return p.Contains(addr(text)) })
				if want := strings.Contains(" "+tc.on+" ", " "+text+" "); link != want {
					t.Errorf("%s is on-link: %t, by %v", text, link, got.Uplink.OnLink)
				}
			}
		})
	}
}

// TestLinksByFlag has the kernel refuse a gateway unless it is told that it is
// on-link.
func TestLinksByFlag(t *testing.T) {
	sys := fixed{ifaces: []Interface{iface("eth0", "10.4.7.21/32")}, rules: perUplink,
		routes: routes("default via 10.4.7.1 dev eth0 table 100", "10.4.6.0/24 dev eth0 table 100", "10.4.7.0/24 dev eth0", "10.4.5.0/24 dev eth0 wide")}
	got, err := Choose(t.Context(), sys, Options{}, networks[:1], Uplink{})
	if u := got.Uplink; err != nil || fmt.Sprint(u.OnLink, u.ByFlag) != "[10.4.5.0/24 10.4.6.0/24 10.4.7.0/24] [10.4.5.0/24 10.4.6.0/24]" {
		t.Error(u.OnLink, u.ByFlag, err)
	}
}

func TestDiversions(t *testing.T) {
	const own = "10.5.1.0/24 dev cni0"
	uplink := []string{"default via 10.4.7.1 dev eth0", "10.4.7.0/24 dev eth0"}
	for name, tc := range map[string]struct {
		rules  []PolicyRule
		routes []string
		want   string
	}{
		"ordinary":                     {ordinary, nil, ""},
		"a VPN with main ahead":        {wireguard, []string{"default dev wg0 table 51820"}, ""},
		"a VPN without":                {wireguard[1:], []string{"default dev wg0 table 51820"}, "32765 default dev wg0 10.5.0.0/16 32765"},
		"an exit node":                 {exitNode, []string{"default dev tailscale0 table 52", "throw 10.5.1.0/24 table 52"}, "5270 default dev tailscale0 10.5.0.0/16 5270"},
		"a mesh without an exit":       {exitNode, []string{"100.64.0.7/32 dev tailscale0 table 52"}, ""},
		"an exit that leaves it out":   {exitNode, []string{"default dev tailscale0 table 52", "throw 10.5.0.0/16 table 52"}, ""},
		"a subnet router in the mesh":  {exitNode, []string{"10.5.9.0/24 dev tailscale0 table 52"}, "5270 10.5.9.0/24 dev tailscale0 10.5.0.0/16 5270"},
		"the uplink's own table":       {perUplink, []string{"default via 10.4.7.1 dev eth0 table 100", "default via 192.168.1.1 dev eth1 table 101"}, "100 default via 10.4.7.1 dev eth0 10.5.0.0/16 100"},
		"the remedy":                   {slices.Concat(rules("99: from all to 10.5.0.0/16 lookup main"), perUplink), []string{"default via 10.4.7.1 dev eth0 table 100"}, ""},
		"half a remedy":                {slices.Concat(rules("99: from all to 10.5.0.0/17 lookup main"), perUplink), []string{"default via 10.4.7.1 dev eth0 table 100"}, "100 default via 10.4.7.1 dev eth0 10.5.0.0/16 100"},
		"containers by a VPN":          {slices.Concat(rules("7: from 10.5.0.0/16 lookup 7"), ordinary), []string{"default dev tun0 table 7"}, "7 default dev tun0 10.5.0.0/16 7"},
		"one pod by a VPN":             {slices.Concat(rules("7: from 10.5.1.7 lookup 7"), ordinary), []string{"default dev tun0 table 7"}, "7 default dev tun0 10.5.0.0/16 7"},
		"the bridge's packets":         {slices.Concat(rules("7: from all iif cni0 lookup 7"), ordinary), []string{"default dev tun0 table 7"}, "7 default dev tun0 10.5.0.0/16 7"},
		"another device's packets":     {slices.Concat(rules("7: from all iif eth1 lookup 7"), ordinary), []string{"default dev tun0 table 7"}, ""},
		"other destinations":           {slices.Concat(rules("7: from all to 10.6.0.0/16 lookup 7"), ordinary), []string{"default dev tun0 table 7"}, ""},
		"elsewhere but there":          {slices.Concat(rules("7: not from all to 10.5.0.0/16 lookup 7"), ordinary), []string{"default dev tun0 table 7"}, ""},
		"all but some":                 {slices.Concat(rules("7: not from all to 10.6.0.0/16 lookup 7"), ordinary), []string{"default dev tun0 table 7"}, "7 default dev tun0 10.5.0.0/16 7"},
		"a rule that refuses":          {slices.Concat(rules("7: from all to 10.5.0.0/16 unreachable"), ordinary), nil, "7 refused 10.5.0.0/16 7"},
		"a copy of the right routes":   {slices.Concat(rules("7: from all lookup 7"), ordinary), []string{"10.5.0.0/16 dev flannel.1 table 7", "10.5.1.0/24 dev cni0 table 7"}, ""},
		"past the rule":                {slices.Concat(rules("6: from all goto 32766", "7: from all lookup 7"), ordinary), []string{"default dev tun0 table 7"}, ""},
		"marked packets":               {slices.Concat(rules("7: from all fwmark 0x1 lookup 7"), ordinary), []string{"default dev tun0 table 7"}, ""},
		"a port":                       {slices.Concat(rules("7: from all dport lookup 7"), ordinary), []string{"default dev tun0 table 7"}, "7 default dev tun0 10.5.0.0/16 narrow 7"},
		"several":                      {slices.Concat(rules("7: from 10.5.0.0/16 lookup 7", "9: from all lookup 7"), ordinary), []string{"default dev tun0 table 7"}, "7 default dev tun0 10.5.0.0/16 7; 9 default dev tun0 10.5.0.0/16 7"},
		"main without short ones":      {slices.Concat(rules("5: from all lookup main suppress_prefixlength 16", "7: from all lookup 7"), ordinary), []string{"default dev tun0 table 7"}, ""},
		"nothing in the table":         {slices.Concat(rules("7: from all lookup 7"), ordinary), nil, ""},
		"a VRF, of which they are not": {vrfRules, []string{"default dev tun0 table 10"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			sys := fixed{rules: tc.rules, routes: routes(append(tc.routes, append(uplink, own)...)...), ifaces: []Interface{
				iface("eth0", "10.4.7.21/24"), iface("cni0", "10.5.1.1/24"), iface("flannel.1", "10.5.1.0/32"),
			}}
			facts, err := Choose(t.Context(), sys, Options{Iface: []string{"eth0"}}, networks[:1], Uplink{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range facts.Diversions {
				how, narrow := "refused", ""
				if d.Rule.Action == Lookup {
					how = d.Route.String()
				}
				if d.Narrow {
					narrow = " narrow"
				}
				got = append(got, fmt.Sprintf("%d %s %s%s %d", d.Rule.Priority, how, d.Network, narrow, d.Before))
			}
			if text := strings.Join(got, "; "); text != tc.want {
				t.Errorf("%s, want %s", text, tc.want)
			}
		})
	}
}

// TestUnreached asks for peers behind a router.
func TestUnreached(t *testing.T) {
	v4, v6 := iface("eth0", "10.4.7.21/24"), iface("eth0", "fd07::21/64")
	six := func(texts ...string) []PolicyRule {
		for i := range texts {
			texts[i] += " inet6"
		}
		return rules(append(texts, "32766: from all lookup main inet6")...)
	}
	for name, tc := range map[string]struct {
		iface  Interface
		rules  []PolicyRule
		routes []string
		dst    string
		want   string // the rule; "-": reached
	}{
		"default route":                      {v4, ordinary, []string{"default via 10.4.7.1 dev eth0"}, "10.4.8.1", "-"},
		"none":                               {v4, ordinary, []string{"10.4.7.0/24 dev eth0"}, "10.4.8.1", ""},
		"none, but on-link":                  {v4, ordinary, []string{"10.4.7.0/24 dev eth0"}, "10.4.7.1", "-"},
		"a default route elsewhere":          {v4, ordinary, []string{"default dev tun0", "10.4.7.0/24 dev eth0"}, "10.4.8.1", ""},
		"IPv4 asks for the device":           {v4, ordinary, []string{"default dev tun0 metric 5", "default via 10.4.7.1 dev eth0 metric 50"}, "10.4.8.1", "-"},
		"IPv6 goes by the better metric":     {v6, six(), []string{"default6 dev tun0 metric 5", "default6 via fd07::1 dev eth0 metric 50"}, "fd08::1", "32766: from all lookup main"},
		"IPv6 goes by the VPN's rule":        {v6, six("5: not from all fwmark 0x7 lookup 7"), []string{"default6 dev tun0 table 7", "default6 via fd07::1 dev eth0"}, "fd08::1", "5: not from all fwmark 0x7 lookup 7"},
		"unless a rule of the address helps": {v6, six("4: from fd07::21 lookup main", "5: not from all fwmark 0x7 lookup 7"), []string{"default6 dev tun0 table 7", "default6 via fd07::1 dev eth0"}, "fd08::1", "-"},
		"refused":                            {v4, slices.Concat(rules("5: from all to 10.4.8.0/24 unreachable"), ordinary), []string{"default via 10.4.7.1 dev eth0"}, "10.4.8.1", "5: from all to 10.4.8.0/24 unreachable"},
		"one of several ways":                {v4, ordinary, []string{"default via 10.4.9.1 dev eth1", "default via 10.4.7.1 dev eth0"}, "10.4.8.1", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			network := networks[:1]
			if strings.Contains(tc.dst, ":") {
				network = networks[1:]
			}
			sys := fixed{ifaces: []Interface{tc.iface}, rules: tc.rules, routes: routes(tc.routes...)}
			facts, err := Choose(t.Context(), sys, Options{Iface: []string{"eth0"}}, network, Uplink{})
			if err != nil {
				t.Fatal(err)
			}
			got := "-"
			for _, u := range facts.Uplink.Unreached {
				if u.Dst.Contains(addr(tc.dst)) {
					got = ""
					if u.Rule != (PolicyRule{}) {
						got = u.Rule.String()
					}
				}
			}
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
