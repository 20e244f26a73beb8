package firewall

import (
	"fmt"
	"strings"

	"github.com/weft-net/weft/internal/host"
)

// Ahead names what decides on the network's packets before weft's own rule
// accepts them, or does something else to them on their way; "" if nothing does.
// Only then is it the same whether they come by there.
func (p *Plan) Ahead() string {
	b := builder{Plan: p}
	for _, barrier := range p.Host.Barriers {
		bodies, how, _ := b.needed(barrier)
		if len(bodies) == 0 {
			continue
		}
		if policy := b.policy(barrier); policy != "" {
			return fmt.Sprintf("%s has a policy (%s)", barrier, policy)
		}
		if barrier.Manager == "" || !p.Options.Accept {
			return fmt.Sprintf("%s can stop packets (%s)", barrier, how)
		}
	}
	for _, i := range p.Host.FastPath.Inspectors {
		for _, r := range p.Net.Ranges {
			if what := i.Stops(b.inside(i.Hook, r)); i.Handles(families[r.Family()]) && what != "" {
				return fmt.Sprintf("%s does more to packets than to let them through (%s)", i, what)
			}
		}
	}
	return ""
}

// policy returns what a chain that decides on containers' packets on purpose does
// to the network's, "" if there is none: weft's rule stands behind it.
func (b *builder) policy(barrier host.Barrier) string {
	for _, r := range b.Net.Ranges {
		t := b.inside(barrier.Hook, r)
		for _, rule := range barrier.Rules {
			_, chain, _ := strings.Cut(rule.Stops, " in chain ")
			if host.IsPolicy(chain) && rule.When.Fits(t) && barrier.Handles(families[r.Family()]) {
				return rule.Stops
			}
		}
	}
	return ""
}
