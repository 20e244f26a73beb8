package netstate

import (
	"cmp"
	"fmt"
	"strings"
)

// Ways to a firewall that is not ours.
const (
	ViaNFT    = "nft"    // nftables, also where iptables is iptables-nft
	ViaLegacy = "legacy" // the kernel's x_tables, by the iptables-legacy program
)

// HookRule is a rule of ours that has to stand at the head of somebody else's
// chain, since no rule elsewhere can save a packet from being refused there.
// It is identified by all but its place.
type HookRule struct {
	Via    string // ViaNFT or ViaLegacy
	Family string // of the table: "ip", "ip6" or "inet"
	Table  string
	Chain  string
	Body   Body // its comment tells whose it is
	Behind bool // a rule of somebody else's stands ahead of it
}

func (f HookRule) Compare(o HookRule) int {
	if c := cmp.Or(strings.Compare(f.Via, o.Via), strings.Compare(f.Family, o.Family),
		strings.Compare(f.Table, o.Table), strings.Compare(f.Chain, o.Chain)); c != 0 {
		return c
	}
	if f.Body == o.Body {
		return 0
	}
	return strings.Compare(f.Body.String(), o.Body.String())
}

// String renders e.g. `hook nft ip filter FORWARD head ip saddr
// 10.5.0.0/16 counter accept comment "weft"`.
func (f HookRule) String() string {
	return fmt.Sprintf("hook %s %s %s %s %s %s", f.Via, f.Family, f.Table, f.Chain, flag(f.Behind, "behind", "head"), f.Body)
}

// Leftover is what flanneld left in the firewall: a chain with the rules that
// lead to it, or a whole table if Chain is "".
type Leftover struct {
	Via    string
	Family string
	Table  string
	Chain  string
}

func (l Leftover) Compare(o Leftover) int {
	return cmp.Or(strings.Compare(l.Via, o.Via), strings.Compare(l.Family, o.Family),
		strings.Compare(l.Table, o.Table), strings.Compare(l.Chain, o.Chain))
}

// String renders e.g. "leftover nft ip nat FLANNEL-POSTRTG".
func (l Leftover) String() string {
	return strings.TrimSpace(fmt.Sprintf("leftover %s %s %s %s", l.Via, l.Family, l.Table, l.Chain))
}
