package kerneltest

import (
	"testing"

	"github.com/weft-net/weft/internal/netstate"
)

// rules is what one network has in the firewall.
const rules = `
table weft
set weft except4 type ipv4_addr interval
set weft peers4 type ipv4_addr
set weft peers6 type ipv6_addr
element weft except4 10.9.0.0/16
element weft peers4 10.4.7.22
element weft peers6 fd00:4:7::22
chain weft guard type filter hook input priority -10 policy accept
chain weft postrouting type nat hook postrouting priority 99 policy accept
rule weft guard 0 ip saddr != @peers4 udp dport 8472 @th,96,24 0x1 counter drop
rule weft guard 1 ip6 saddr != @peers6 udp dport 8472 @th,96,24 0x1 counter drop
rule weft postrouting 0 meta mark & 0x00004000 == 0x00004000 return
rule weft postrouting 1 ip saddr 10.5.0.0/16 ip daddr 10.5.0.0/16 snat ip to ip saddr
rule weft postrouting 2 ip saddr 10.5.0.0/16 ip daddr @except4 snat ip to ip saddr
rule weft postrouting 3 ip saddr 10.5.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random
rule weft postrouting 4 ip6 saddr fd05::/48 ip6 daddr fd05::/48 snat ip6 to ip6 saddr
`

// rulesAfter is what rules may turn into.
const rulesAfter = `
table weft
set weft peers4 type ipv4_addr
element weft peers4 10.4.7.23
element weft peers4 10.4.7.24
chain weft guard type filter hook input priority -10 policy accept
chain weft postrouting type nat hook postrouting priority 99 policy accept
rule weft guard 0 ip saddr != @peers4 udp dport 8473 @th,96,24 0x1 counter drop
rule weft postrouting 0 ip saddr 10.5.0.0/16 ip daddr 10.5.0.0/16 snat ip to ip saddr
`

// testRules makes, changes and removes rules, and finds them without memory.
func testRules(t *testing.T, h Host) {
	before, after := state(t, rules), state(t, rulesAfter)
	s := netstate.ScopeOf(networks, before)
	settle(t, h.Kernel, s, before)
	settle(t, h.Kernel, s, before)
	settle(t, h.Kernel, s, after)
	settle(t, h.Kernel, s, before)
	forgetful := netstate.Scope{Networks: networks}
	expect(t, h.Kernel, forgetful, before)
	_, elsewhere := other()
	expect(t, h.Kernel, netstate.Scope{Networks: elsewhere}, &netstate.State{})
	settle(t, h.Kernel, forgetful, &netstate.State{})
}

// meddling is what somebody else does to rules.
var meddling = []struct {
	verb netstate.Verb
	row  string
}{
	{netstate.Remove, "table weft"},
	{netstate.Remove, "element weft peers4 10.4.7.22"},
	{netstate.Add, "element weft peers6 fd00:4:7::66"},
	{netstate.Remove, "rule weft postrouting 4 ip6 saddr fd05::/48 ip6 daddr fd05::/48 snat ip6 to ip6 saddr"},
	{netstate.Replace, "rule weft guard 0 ip saddr != @peers4 udp dport 8472 @th,96,24 0x2 counter drop"},
	{netstate.Add, "rule weft guard 2 ip saddr 10.5.0.0/16 accept"},
	{netstate.Replace, "chain weft guard type filter hook input priority -10 policy drop"},
	{netstate.Add, "set weft other type ipv4_addr"},
}

// testOwnRules makes and changes rules and hears nothing new.
func testOwnRules(t *testing.T, h Host) {
	before, after := state(t, rules), state(t, rulesAfter)
	s := netstate.ScopeOf(networks, before)
	observe(t, h.Kernel, s)
	events := watch(t, h.Kernel)
	for _, want := range []*netstate.State{before, after, before, {}} {
		settle(t, h.Kernel, s, want)
		for _, e := range drain(t, h, events, want) {
			if want.News(e) {
				t.Errorf("our own change is news: %+v", e)
			}
		}
	}
}

// testMeddling has changes of rules by somebody else reported, and mended.
func testMeddling(t *testing.T, h Host) {
	want := state(t, rules)
	s := netstate.ScopeOf(networks, want)
	settle(t, h.Kernel, s, want)
	events := watch(t, h.Kernel)
	for _, m := range meddling {
		t.Run(m.verb.String()+" "+m.row, func(t *testing.T) {
			r := row(t, m.row)
			apply(t, h.Other, netstate.Op{Verb: m.verb, Row: r, Have: want.Find(r)})
			for !want.News(next(t, events)) {
			}
			settle(t, h.Kernel, s, want)
			drain(t, h, events, want)
		})
	}
}
