package netdump

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/weft-net/weft/internal/host"
)

// Firewall is the nftables ruleset.
type Firewall struct {
	Absent string  `json:"absent,omitempty"` // why it cannot be read
	Chains []Chain `json:"chains"`           // sorted by family, table and name
	Sets   []Set   `json:"sets"`
}

// Chain is a chain with its rules.
type Chain struct {
	Family   string   `json:"family"` // "ip", "ip6", "inet", "netdev"
	Table    string   `json:"table"`
	Name     string   `json:"name"`
	Type     string   `json:"type,omitempty"` // of a base chain: "filter", "nat", "route"
	Hook     string   `json:"hook,omitempty"` // of a base chain
	Priority int      `json:"priority,omitempty"`
	Policy   string   `json:"policy,omitempty"`
	Devices  []string `json:"devices,omitempty"` // whose packets it sees; none: those of all
	Rules    []Rule   `json:"rules"`
}

// Place names the chain as nft(8) does: "ip filter FORWARD".
func (c Chain) Place() string { return c.Family + " " + c.Table + " " + c.Name }

// Handles reports whether packets of a family ("ip" or "ip6") come by c.
func (c Chain) Handles(family string) bool {
	return host.Barrier{Family: c.Family}.Handles(family)
}

// String is the chain in nft(8)'s form.
func (c Chain) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "chain %s {", c.Place())
	if c.Hook != "" {
		fmt.Fprintf(&b, " type %s hook %s", c.Type, c.Hook)
		say(&b, len(c.Devices) > 0, " devices { %s }", strings.Join(c.Devices, ", "))
		fmt.Fprintf(&b, " priority %d; policy %s;", c.Priority, c.Policy)
	}
	b.WriteByte('\n')
	for _, r := range c.Rules {
		fmt.Fprintf(&b, "\t%s # handle %d\n", r.Text, r.Handle)
	}
	return b.String() + "}"
}

// Rule is a rule. Its text is in nft(8)'s form as far as weft knows that.
type Rule struct {
	Handle   uint64   `json:"handle"`
	Text     string   `json:"text"`
	Branches []Branch `json:"branches,omitempty"`
}

// Branch is something that a rule does with packets that fit.
type Branch struct {
	When  host.Match `json:"when"`
	Does  Action     `json:"does"`
	Chain string     `json:"chain,omitempty"` // where Jump and Goto lead
	To    netip.Addr `json:"to,omitzero"`     // the new address of DNAT and SNAT, if the rule has one
}

// Action is what a rule does.
type Action string

// The actions that decide about a packet, or lead it elsewhere.
const (
	Accept     Action = "accept"
	Drop       Action = "drop"
	Reject     Action = "reject"
	Jump       Action = "jump"
	Goto       Action = "goto"
	Return     Action = "return"
	Masquerade Action = "masquerade" // the source becomes an address of this host
	SNAT       Action = "snat"
	KeepSource Action = "keep-source" // the source stays, whatever later chains have
	DNAT       Action = "dnat"
	Redirect   Action = "redirect"
)

// Stops reports whether the packet goes no further.
func (a Action) Stops() bool { return a == Drop || a == Reject }

// Set is a named set, map or verdict map.
type Set struct {
	Family   string   `json:"family"`
	Table    string   `json:"table"`
	Name     string   `json:"name"`
	Elements []string `json:"elements"` // in hexadecimal if they are no addresses, ports or names
}

// String is the set in nft(8)'s form.
func (s Set) String() string {
	return fmt.Sprintf("set %s %s %s { %s }", s.Family, s.Table, s.Name, strings.Join(s.Elements, ", "))
}

// Step is something that a rule or policy did with a packet that was sent.
type Step struct {
	Family, Table, Chain string
	Handle               uint64 // of the rule
	Policy               bool   // it was the chain's policy
	Does                 Action
	Src, Dst             netip.Addr // of the packet there; those of the tunnel when it is in one
}
