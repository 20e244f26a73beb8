package firewall

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netstate"
)

// accept puts rules at the head of every chain that could stop the network's
// packets: accepting them in a chain of ours would not save them there. Chains
// that weft may not edit are problems, unless they let the packets through.
func (b *builder) accept() (problems []Problem) {
	for _, barrier := range b.Host.Barriers {
		bodies, how, always := b.needed(barrier)
		switch {
		case len(bodies) == 0:
		case !always && (barrier.Manager == "" || !b.Options.Accept):
			problems = append(problems, Problem{astray(barrier, bodies, how), true})
		case barrier.Manager == "":
			problems = append(problems, Problem{Err: stopped(barrier, bodies, how)})
		case !b.Options.Accept:
			problems = append(problems, Problem{notAccepted(barrier, bodies, how), true})
		default:
			b.stand(barrier, bodies)
		}
	}
	return problems
}

// needed returns the rules that the network needs in a chain, and what stops
// its packets there: always, or only while hosts switch between direct paths and
// the tunnel.
func (b *builder) needed(barrier host.Barrier) (out []netstate.Body, how string, always bool) {
	for _, n := range b.needs(barrier) {
		if by := barrier.Stops(n.traffic); by != "" {
			out, how = append(out, n.bodies...), cmp.Or(how, by)
			always = always || !n.traffic.Astray
		}
	}
	return out, how, always
}

func (b *builder) stand(barrier host.Barrier, bodies []netstate.Body) {
	for _, body := range bodies {
		body.Counter, body.Verdict, body.Comment = true, netstate.Accept, b.table
		b.fw.HookRules = append(b.fw.HookRules, netstate.HookRule{
			Via: barrier.Via, Family: barrier.Family, Table: barrier.Table, Chain: barrier.Chain, Body: body,
		})
	}
}

func stopped(barrier host.Barrier, bodies []netstate.Body, how string) error {
	if barrier.Via == netstate.ViaLegacy {
		return fmt.Errorf("%s can stop the network's packets (%s), and the program to put rules there is missing: install iptables where weft runs (its own image has no programs), or move the rules to nftables with iptables-nft", barrier, how)
	}
	if barrier.Table == dockerTable {
		return fmt.Errorf("%s can stop the network's packets (%s), and weft cannot accept them ahead of Docker's own nftables rules: %s", barrier, how, dockerRemedy(barrier.Hook))
	}
	return fmt.Errorf("%s can stop the network's packets (%s), and weft does not edit an operator's own ruleset: have it accept them ahead of that, with: %s",
		barrier, how, ruleList(bodies))
}

// astray is about a filter of reverse paths that weft puts no rule ahead of.
func astray(barrier host.Barrier, bodies []netstate.Body, how string) error {
	return fmt.Errorf("%s has a reverse path filter (%s), which drops packets while hosts switch between direct paths and the tunnel; make it loose for that time, or accept them ahead of it with: %s",
		barrier, how, ruleList(bodies))
}

// notAccepted is about a chain that weft would put rules into if it were
// allowed to. An operator may have done that: rules that accept packets are
// not looked at in chains of a manager.
func notAccepted(barrier host.Barrier, bodies []netstate.Body, how string) error {
	return fmt.Errorf("%s can stop the network's packets (%s) unless a rule ahead of that accepts them, and --iptables-forward-rules=false keeps weft from doing so: leave the flag out, or accept them there with: %s",
		barrier, how, ruleList(bodies))
}

func ruleList(bodies []netstate.Body) string {
	var rules []string
	for _, body := range bodies {
		rules = append(rules, body.String())
	}
	return strings.Join(slices.Compact(rules), "; ")
}

// dockerTable holds the rules of Docker's nftables backend.
const dockerTable = "docker-bridges"

// dockerRemedy says what to set so that Docker does not stop packets at a hook.
func dockerRemedy(hook string) string {
	if hook == "forward" {
		return `set "firewall-backend": "iptables" in daemon.json, beside whose rules weft can put its own, or use a network with the option com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected (gateway_mode_ipv6 likewise)`
	}
	return `set "allow-direct-routing": true in daemon.json and restart Docker`
}

func noFirewall(why string) error {
	return errors.New("no rules are made: packets are not masqueraded, and tunnelled packets are taken from anybody: " + why)
}
