package explain

import (
	"cmp"
	"slices"

	"github.com/weft-net/weft/internal/netdump"
)

// hit is something that a chain does with the packet.
type hit struct {
	chain netdump.Chain
	rule  netdump.Rule // without a text: the chain's policy
	does  netdump.Branch
	sure  bool
}

// text names the rule as the kernel has it.
func (h hit) text() string {
	if h.rule.Text == "" {
		return h.chain.Place() + ": policy " + string(h.does.Does)
	}
	return h.chain.Place() + ": " + h.rule.Text
}

// walker follows a packet through the chains of a hook.
type walker struct {
	chains []netdump.Chain
	packet packet
	hits   []hit
	steps  int
}

// maxSteps bounds the rules that are looked at: chains may lead to each other by many
// ways.
const maxSteps = 100_000

// walk returns what the chains of a hook do, in the kernel's order, up to the first that
// surely stops the packet, and how many chains it came by.
func walk(fw netdump.Firewall, hook string, p packet) (hits []hit, passed int) {
	w := walker{chains: fw.Chains, packet: p}
	settled := false // the connection's address is: no other chain of that kind sees the packet
	for _, c := range baseChains(fw, hook, p) {
		if settled && c.Type == "nat" {
			continue
		}
		before := len(w.hits)
		if passed++; w.base(c) == netdump.Drop {
			break
		}
		settled = settled || slices.ContainsFunc(w.hits[before:], func(h hit) bool { return h.sure && c.Type == "nat" && h.does.Does != netdump.Accept })
	}
	return w.hits, passed
}

// baseChains returns those that a packet comes by at a hook, by priority.
func baseChains(fw netdump.Firewall, hook string, p packet) (out []netdump.Chain) {
	for _, c := range fw.Chains {
		dev := p.in
		if hook == "egress" {
			dev = p.out
		}
		if c.Hook == hook && c.Handles(p.family()) && (len(c.Devices) == 0 || named(c.Devices, dev) == yes) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b netdump.Chain) int { return cmp.Compare(a.Priority, b.Priority) })
	return out
}

// base goes through a base chain and returns how the packet surely ends there, "" if it
// gets behind it or that is not certain.
func (w *walker) base(c netdump.Chain) netdump.Action {
	end, certain := w.chain(c, true, nil)
	if end == "" && c.Policy == string(netdump.Drop) {
		w.hits = append(w.hits, hit{chain: c, does: netdump.Branch{Does: netdump.Drop}, sure: certain})
		if certain {
			return netdump.Drop
		}
	}
	return end
}

// chain goes through a chain that the packet comes by, which may be certain or not. It
// returns how the packet surely ends in it; else "", and whether it certainly gets behind it.
func (w *walker) chain(c netdump.Chain, certain bool, by []string) (netdump.Action, bool) {
	if slices.Contains(by, c.Name) {
		return "", certain
	}
	by = append(slices.Clip(by), c.Name)
	for _, r := range c.Rules {
		for _, b := range r.Branches {
			fits := w.packet.fits(b.When)
			if w.steps++; w.steps > maxSteps {
				return "", false
			}
			if fits == no {
				continue
			}
			surely, before := certain && fits == yes, len(w.hits)
			end := w.branch(hit{chain: c, rule: r, does: b, sure: surely}, by)
			leaves := b.Does == netdump.Return || b.Does == netdump.Goto
			switch {
			case end != "" && surely:
				return end, true
			case leaves && surely:
				return "", len(w.hits) == before
			}
			certain = certain && !leaves && len(w.hits) == before // it may have ended or left here
		}
	}
	return "", certain
}

// branch takes a branch and returns how the packet ends by it, "" if it goes on.
func (w *walker) branch(h hit, by []string) netdump.Action {
	switch h.does.Does {
	case netdump.Return:
		return ""
	case netdump.Jump, netdump.Goto:
		for _, c := range w.chains {
			if c.Family == h.chain.Family && c.Table == h.chain.Table && c.Name == h.does.Chain {
				end, _ := w.chain(c, h.sure, by)
				return end
			}
		}
		return ""
	}
	w.hits = append(w.hits, h)
	if h.does.Does.Stops() {
		return netdump.Drop
	}
	return netdump.Accept
}
