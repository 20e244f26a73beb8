package nft_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netdump"
)

// TestRulesReadAsTheyWereWritten dumps rules of nft and iptables.
func TestRulesReadAsTheyWereWritten(t *testing.T) {
	m := newMachine(t)
	m.shell(t, `nft -f - <<'EOT'
		table inet mine {
			set trusted { type ipv4_addr; elements = { 10.5.0.1 } }
			chain through {
				type filter hook forward priority -300; policy drop;
				ip saddr 10.5.0.0/16 ip daddr 10.5.1.2 counter drop comment "why"
				iifname "eth0" oifname != "cni0" tcp dport 22 accept
				ip saddr @trusted jump more
				meta mark & 0x00004000 == 0x00004000 drop
				ip6 daddr fd05::/48 udp dport 53-54 reject
			}
			chain more { meta l4proto icmp return; goto more2; }
			chain more2 { counter; }
		}
		table ip mine {
			chain source { type nat hook postrouting priority 100; masquerade; }
			chain nat { type nat hook prerouting priority -100; ip daddr 10.96.0.10 tcp dport 80 dnat to 10.5.3.9; }
		}
EOT
		iptables -t nat -A PREROUTING -d 10.96.0.11 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.5.3.8:8080
		iptables -A FORWARD -s 10.9.0.0/16 -m mark --mark 0x1 -j DROP`)
	fw, err := m.Dump(t.Context())
	check(t, err)
	var got []string
	does := map[string]netdump.Branch{}
	for _, c := range fw.Chains {
		for _, r := range c.Rules {
			got = append(got, c.Name+": "+r.Text)
			for _, b := range r.Branches {
				does[r.Text] = b
			}
		}
	}
	want := []string{
		`FORWARD: ip saddr 10.9.0.0/16 meta mark 0x1 counter drop`,
		`PREROUTING: meta l4proto tcp ip daddr 10.96.0.11 tcp dport 80 counter xt target "DNAT"`,
		`more: meta l4proto icmp return`, `more: goto more2`, `more2: counter`, `source: masquerade`,
		`nat: ip daddr 10.96.0.10 tcp dport 80 dnat to 10.5.3.9`,
		`through: ip saddr 10.5.0.0/16 ip daddr 10.5.1.2 counter drop comment "why"`,
		`through: iifname "eth0" oifname != "cni0" tcp dport 22 accept`, `through: ip saddr @trusted jump more`,
		`through: meta mark & 0x4000 0x4000 drop`, `through: ip6 daddr fd05::/48 udp dport >= 53 udp dport <= 54 reject`,
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for text, wanted := range map[string]netdump.Branch{
		"masquerade": {Does: netdump.Masquerade},
		`meta l4proto tcp ip daddr 10.96.0.11 tcp dport 80 counter xt target "DNAT"`: {Does: netdump.DNAT, To: netip.MustParseAddr("10.5.3.8")},
		`ip daddr 10.96.0.10 tcp dport 80 dnat to 10.5.3.9`:                          {Does: netdump.DNAT, To: netip.MustParseAddr("10.5.3.9")},
		`ip saddr @trusted jump more`:                                                {Does: netdump.Jump, Chain: "more"},
		`meta l4proto icmp return`:                                                   {Does: netdump.Return},
		`goto more2`:                                                                 {Does: netdump.Goto, Chain: "more2"},
	} {
		have := does[text]
		have.When = host.Match{}
		if diff := cmp.Diff(wanted, have, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%q does something else:\n%s", text, diff)
		}
	}
	if mark := does[`meta mark & 0x4000 0x4000 drop`]; !mark.When.Never {
		t.Error("a packet without a mark is thought to have one")
	}
	if mark := does[`ip saddr 10.9.0.0/16 meta mark 0x1 counter drop`]; !mark.When.Never {
		t.Error("a packet without a mark is thought to have iptables' mark")
	}
}
