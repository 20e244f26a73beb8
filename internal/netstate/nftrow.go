package netstate

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// NFTable is an nftables table of ours, of family inet, identified by name.
type NFTable struct{ Name string }

func (t NFTable) Compare(o NFTable) int { return strings.Compare(t.Name, o.Name) }

// String renders e.g. "table weft".
func (t NFTable) String() string { return "table " + t.Name }

// Set is a named set in a table of ours, identified by table and name.
type Set struct {
	Table, Name string
	Type        string // as nft(8) names it: TypeIPv4, TypeIPv6
	Interval    bool   // holds prefixes and not only single addresses
}

// Types of sets, as nft(8) names them.
const (
	TypeIPv4 = "ipv4_addr"
	TypeIPv6 = "ipv6_addr"
)

func (s Set) Compare(o Set) int {
	return cmp.Or(strings.Compare(s.Table, o.Table), strings.Compare(s.Name, o.Name))
}

// String renders e.g. "set weft except4 type ipv4_addr interval".
func (s Set) String() string {
	return fmt.Sprintf("set %s %s type %s%s", s.Table, s.Name, s.Type, flag(s.Interval, " interval", ""))
}

// Element is a member of a Set, identified by all of it.
type Element struct {
	Table, Set string
	Prefix     netip.Prefix // masked; a single address unless the set has intervals
}

func (e Element) Compare(o Element) int {
	if e.Set != o.Set || e.Table != o.Table {
		return cmp.Or(strings.Compare(e.Table, o.Table), strings.Compare(e.Set, o.Set))
	}
	return comparePrefix(e.Prefix, o.Prefix)
}

// String renders e.g. "element weft peers4 10.4.7.22".
func (e Element) String() string {
	return "element " + e.Table + " " + e.Set + " " + shortPrefix(e.Prefix)
}

// shortPrefix leaves the length of a single address out, as nft(8) does.
func shortPrefix(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// Chain is a base chain in a table of ours, identified by table and name.
type Chain struct {
	Table, Name string
	Type        string // "filter" or "nat"
	Hook        string // "input", "postrouting", ...
	Priority    int32
	Drop        bool // the policy, else accept
}

func (c Chain) Compare(o Chain) int {
	return cmp.Or(strings.Compare(c.Table, o.Table), strings.Compare(c.Name, o.Name))
}

// String renders e.g. "chain weft guard type filter hook input priority -10
// policy accept".
func (c Chain) String() string {
	return fmt.Sprintf("chain %s %s type %s hook %s priority %d policy %s", c.Table, c.Name, c.Type, c.Hook, c.Priority, c.policy())
}

func (c Chain) policy() string { return flag(c.Drop, "drop", "accept") }

// Rule is a rule in a chain of ours, identified by its place there.
type Rule struct {
	Table, Chain string
	Index        int // from 0, without gaps
	Body         Body
}

func (r Rule) Compare(o Rule) int {
	return cmp.Or(strings.Compare(r.Table, o.Table), strings.Compare(r.Chain, o.Chain), cmp.Compare(r.Index, o.Index))
}

// String renders e.g. "rule weft guard 0 ip saddr != @peers4 counter drop".
func (r Rule) String() string {
	return fmt.Sprintf("rule %s %s %d %s", r.Table, r.Chain, r.Index, r.Body)
}
