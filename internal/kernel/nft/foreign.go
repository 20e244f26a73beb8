package nft

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// Who keeps a table that is not ours.
const (
	managerIPTables  = "iptables"
	managerFirewalld = "firewalld"
)

// kubeProxy is a table that stops nothing but packets to services that have no
// endpoints, and changes all the time.
const kubeProxy = "kube-proxy"

// xtables are the tables of iptables, and the chains of theirs that packets
// come by.
var (
	xtables      = []string{"filter", "mangle", "raw", "security", "nat"}
	xtableChains = []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}
)

// manager returns the program that keeps c and bears that others put rules
// there; "" for an operator's own ruleset.
func (c chain) manager() string {
	switch {
	case c.family == unix.NFPROTO_INET && c.table == managerFirewalld:
		return managerFirewalld
	case familyNames[c.family] != "" && c.family != unix.NFPROTO_INET && slices.Contains(xtables, c.table) && slices.Contains(xtableChains, c.chain):
		return managerIPTables
	}
	return ""
}

// canBlock reports whether c can stop packets.
func (c chain) canBlock() bool {
	_, known := familyNames[c.family]
	known = known || c.family == unix.NFPROTO_NETDEV
	return known && c.table != kubeProxy && c.base && (c.kind == "filter" || c.kind == "route") && c.hookName() != ""
}

// others finds our rules in somebody else's table, and what flanneld left.
func (o *observer) others(t table) error {
	if _, known := familyNames[t.family]; !known {
		return nil
	}
	if owned.IsFlannelTable(familyName(t.family), t.name) {
		return o.leftover(place{t.family, t.name, ""})
	}
	for _, c := range o.chains {
		if c.family != t.family || c.table != t.name {
			continue
		}
		var err error
		switch {
		case c.canBlock() && c.manager() != "":
			err = o.ownRules(c)
		case c.chain != "" && c.chain == owned.FlannelChain(t.name):
			err = o.leftover(c.place)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ownRules finds rules of ours in a chain.
func (o *observer) ownRules(c chain) error {
	rules, err := o.rules(c.place)
	if err != nil {
		return err
	}
	scope := o.scope.WithTables(o.tableNames()...)
	start, behind := head(rules), false
	for i, r := range rules {
		if !r.tagged() {
			behind = behind || i >= start
			continue
		}
		body := r.body()
		if !scope.HookRule(r.comment, body.Prefixes()) {
			continue // another agent's
		}
		row := netstate.HookRule{
			Via: netstate.ViaNFT, Family: familyName(r.family), Table: r.table, Chain: r.chain, Body: body, Behind: behind || i < start,
		}
		o.view.rows[r.id()] = row
		o.found.HookRules = append(o.found.HookRules, row)
	}
	o.found.HookRules = firstOfEach(o.found.HookRules)
	return nil
}

// head is where rules of ours stand in a chain: ahead of all others, but
// behind those that lead to Kubernetes' own rules and its network policies,
// which are meant for containers.
func head(rules []rule) int {
	for i, r := range slices.Backward(rules) {
		if slices.ContainsFunc(r.leads(), host.IsPolicy) {
			return i + 1
		}
	}
	return 0
}

// firstOfEach drops rules that stand in a chain twice over.
func firstOfEach(rows []netstate.HookRule) []netstate.HookRule {
	seen := map[netstate.HookRule]bool{}
	return slices.DeleteFunc(rows, func(f netstate.HookRule) bool {
		f.Behind = false
		twice := seen[f]
		seen[f] = true
		return twice
	})
}

// leftover takes up a chain or table of flanneld's, unless it is about a
// network that is not of the scope.
func (o *observer) leftover(p place) error {
	rules, err := o.rules(p)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if !o.scope.Abandoned(r.prefixes()) {
			return nil
		}
	}
	o.found.Leftovers = append(o.found.Leftovers, netstate.Leftover{
		Via: netstate.ViaNFT, Family: familyName(p.family), Table: p.table, Chain: p.chain,
	})
	return nil
}

// isStop reports whether a rule ends a packet's way, and how.
func (r rule) isStop() (how string, stops bool) {
	for _, e := range r.list {
		switch {
		case e.name == "immediate" && !e.odd && e.code == verdictDrop:
			return "drop", true
		case e.name == "reject", e.name == "target" && (e.target == "REJECT" || e.target == "DROP"):
			return "reject", true
		}
	}
	return "", false
}

// leads returns the chains that a rule may lead to.
func (r rule) leads() (out []string) {
	for _, e := range r.list {
		if e.name == "immediate" && !e.odd && (e.code == verdictJump || e.code == verdictGoto) {
			out = append(out, e.chain)
		}
	}
	return out
}

// tagged reports whether a rule is weft's, this agent's or another's.
func (r rule) tagged() bool { return owned.IsTableName(r.comment) }
