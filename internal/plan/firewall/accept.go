package firewall

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

// accept puts rules at the head of every chain that could stop the network's
// packets: accepting them in a chain of ours would not save them there. Chains
// that nobody else may edit are problems, unless they let the packets through.
func (b *builder) accept() (problems []error) {
	if !b.Options.Accept {
		return nil
	}
	for _, barrier := range b.Host.Barriers {
		bodies := b.needed(barrier)
		switch {
		case len(bodies) == 0:
		case barrier.Manager == "" && !passed(barrier, bodies):
			problems = append(problems, stopped(barrier, bodies))
		case barrier.Manager != "":
			b.stand(barrier, bodies)
		}
	}
	return problems
}

var families = map[netconf.Family]string{netconf.V4: "ip", netconf.V6: "ip6"}

// needed returns the rules that the network needs in a chain.
func (b *builder) needed(barrier host.Barrier) (out []netstate.Body) {
	for _, r := range b.Net.Ranges {
		for _, n := range b.networks(r) {
			if barrier.Hook == "forward" && barrier.Handles(families[r.Family()]) {
				out = append(out, netstate.Body{Src: netstate.From(n)}, netstate.Body{Dst: netstate.From(n)})
			}
		}
	}
	for _, t := range b.Tunnels {
		if barrier.Hook == "input" && barrier.Handles(families[t.Family]) {
			out = append(out, netstate.Body{UDPPort: t.Port}) // the guard has dropped what strangers sent
		}
	}
	return out
}

func (b *builder) stand(barrier host.Barrier, bodies []netstate.Body) {
	for _, body := range bodies {
		body.Counter, body.Verdict, body.Comment = true, netstate.Accept, b.table
		b.fw.Foreign = append(b.fw.Foreign, netstate.Foreign{
			Via: barrier.Via, Family: barrier.Family, Table: barrier.Table, Chain: barrier.Chain, Body: body,
		})
	}
}

// passed reports whether a chain lets the packets of all bodies through. The
// rule for one direction is enough of a sign that its author thought of both.
func passed(barrier host.Barrier, bodies []netstate.Body) bool {
	return slices.ContainsFunc(bodies, func(body netstate.Body) bool {
		return slices.ContainsFunc(barrier.Passes, func(p host.Pass) bool { return lets(p, body) })
	})
}

func lets(p host.Pass, body netstate.Body) bool {
	if p.UDPPort != 0 && p.UDPPort != body.UDPPort {
		return false
	}
	if !p.Prefix.IsValid() {
		return true
	}
	for _, side := range []netip.Prefix{body.Src.Prefix, body.Dst.Prefix} {
		if side.IsValid() && p.Prefix.Bits() <= side.Bits() && p.Prefix.Overlaps(side) {
			return true
		}
	}
	return body.UDPPort != 0 // from some address at least
}

func stopped(barrier host.Barrier, bodies []netstate.Body) error {
	if barrier.Via == netstate.ViaLegacy {
		return fmt.Errorf("%s can stop the network's packets (%s), and the program to put rules there is missing: install iptables where weft runs (its own image has no programs), or move the rules to nftables with iptables-nft", barrier, barrier.Stops)
	}
	var rules []string
	for _, body := range bodies {
		rules = append(rules, body.String())
	}
	return fmt.Errorf("%s can stop the network's packets (%s), and weft does not edit an operator's own ruleset: have it accept them ahead of that, with: %s",
		barrier, barrier.Stops, strings.Join(slices.Compact(rules), "; "))
}

func noFirewall(why string) error {
	return errors.New("no rules are made: packets are not masqueraded, and tunnelled packets are taken from anybody: " + why)
}
