package netstate

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const firewallSample = `table   weft
set     weft except4 type ipv4_addr interval
set     weft peers6 type ipv6_addr
element weft except4 192.168.0.0/16
element weft peers6 fd00::22
chain   weft guard type filter hook input priority -10 policy drop
chain   weft postrouting type nat hook postrouting priority 99 policy accept
rule    weft guard 0 ip6 saddr != @peers6 udp dport 8472 @th,96,24 0x1 counter drop
rule    weft guard 1 unknown 17
rule    weft postrouting 0 meta mark & 0x00004000 == 0x00004000 return
rule    weft postrouting 1 ip saddr 172.7.0.0/16 ip daddr @except4 snat ip to ip saddr
rule    weft postrouting 2 ip saddr 172.7.0.0/16 ip daddr 172.7.0.0/16 ct status dnat return
hook    nft ip filter FORWARD head ip daddr 172.7.0.0/16 counter accept comment "weft"
hook    nft ip filter FORWARD behind ip saddr 172.7.0.0/16 counter accept comment "weft"
leftover nft ip flannel-ipv4
leftover nft ip nat FLANNEL-POSTRTG
`

func TestListTable(t *testing.T) {
	want := `table inet weft {
	set except4 {
		type ipv4_addr
		flags interval
		elements = { 192.168.0.0/16 }
	}

	set peers6 {
		type ipv6_addr
		elements = { fd00::22 }
	}

	chain guard {
		type filter hook input priority filter - 10; policy drop;
		ip6 saddr != @peers6 udp dport 8472 @th,96,24 0x1 counter packets 0 bytes 0 drop
		unknown 17
	}

	chain postrouting {
		type nat hook postrouting priority srcnat - 1; policy accept;
		meta mark & 0x00004000 == 0x00004000 return
		ip saddr 172.7.0.0/16 ip daddr @except4 snat ip to ip saddr
		ip saddr 172.7.0.0/16 ip daddr 172.7.0.0/16 ct status dnat return
	}
}
`
	if got := parse(t, firewallSample).Firewall.ListTable("weft"); got != want {
		t.Error(cmp.Diff(want, got))
	}
}

func TestFirewallFirstAndLast(t *testing.T) {
	s := parse(t, sample)
	s.Firewall.Leftovers = Table[Leftover]{}
	ops := lines(Diff(&State{}, s))
	link := slices.IndexFunc(ops, func(l string) bool { return strings.HasPrefix(l, "+ link") })
	guard := slices.IndexFunc(ops, func(l string) bool { return strings.HasPrefix(l, "+ rule weft guard") })
	if guard < 0 || guard > link {
		t.Errorf("the guard comes up behind the tunnel: %q", ops)
	}
	if ops = lines(Diff(s, &State{})); ops[len(ops)-1] != "- table weft" {
		t.Errorf("the firewall does not go last: %q", ops)
	}
}

func TestTableIsRemadeWhereSetsOrChainsCannotBeMended(t *testing.T) {
	have := parse(t, firewallSample)
	for _, tc := range []struct {
		old, new string
		remade   bool
	}{
		{"policy drop", "policy accept", false},
		{"priority -10", "priority -9", true},
		{"ipv4_addr interval", "ipv4_addr", true},
		{"fd00::22", "fd00::23", false},
		{"0x1 counter drop", "0x2 counter drop", false},
	} {
		want := parse(t, strings.Replace(firewallSample, tc.old, tc.new, 1))
		ops := lines(Diff(have, want))
		if remade := ops[0] == "- table weft"; remade != tc.remade {
			t.Errorf("%s to %s: %q", tc.old, tc.new, ops)
		}
	}
}

func randomFirewall(rng *rand.Rand) FirewallBuilder {
	var f FirewallBuilder
	side := func() Side {
		s := From(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(rng.IntN(3))}), 16))
		if rng.IntN(3) == 0 {
			s = FromSet("a", rng.IntN(2) == 0)
		}
		s.Not = rng.IntN(2) == 0
		return s
	}
	orig := func() Side {
		if rng.IntN(2) == 0 {
			return Side{}
		}
		s := From(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(rng.IntN(3))}), 16))
		s.Not = rng.IntN(2) == 0
		return s
	}
	body := func() Body {
		return Body{Src: side(), UDPPort: uint16(rng.IntN(2)), Proto: uint8(rng.IntN(2)) * 4, DNAT: rng.IntN(2) == 0, OrigDst: orig(), Unrouted: rng.IntN(2) == 0, Counter: rng.IntN(2) == 0, Verdict: Verdict(rng.IntN(6))}
	}
	for i := range rng.IntN(3) {
		table := fmt.Sprint("weft.", i+rng.IntN(2))
		f.Tables = append(f.Tables, NFTable{table})
		f.Sets = append(f.Sets, Set{table, "a", TypeIPv4, rng.IntN(2) == 0})
		f.Chains = append(f.Chains, Chain{table, "c", "filter", "input", int32(rng.IntN(2)), rng.IntN(2) == 0})
		for j := range rng.IntN(4) {
			f.Elements = append(f.Elements, Element{table, "a", netip.PrefixFrom(netip.AddrFrom4([4]byte{9, 0, 0, byte(rng.IntN(5))}), 32)})
			f.Rules = append(f.Rules, Rule{table, "c", j, body()})
		}
	}
	if rng.IntN(2) == 0 {
		f.HookRules = append(f.HookRules, HookRule{"nft", "ip", "filter", "FORWARD", body(), rng.IntN(2) == 0})
		f.Leftovers = append(f.Leftovers, Leftover{Via: "nft", Family: "ip", Table: "nat", Chain: "F"})
	}
	f.Tables, f.Sets, f.Elements, f.Chains = unique(f.Tables), unique(f.Sets), unique(f.Elements), unique(f.Chains)
	f.Rules, f.HookRules = unique(f.Rules), unique(f.HookRules)
	return f
}
