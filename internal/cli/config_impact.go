package cli

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
)

// impactLines bounds how many hosts or subnets of one kind are named.
const impactLines = 5

// impactOf is what storing net in place of snap's config does.
func impactOf(p proposal) plan.Impact {
	before, _ := netconf.Parse(p.snap.Config) // of one that is not valid nothing is known
	return plan.ImpactOf(before, p.net, p.snap.Leases, p.snap.Hosts)
}

// printImpact tells what a change does to running hosts, a line each.
func printImpact(w io.Writer, i plan.Impact) {
	printSome(w, i.Cut, func(c plan.Cut) string {
		return fmt.Sprintf("%s loses its path to %s: not in a directly connected subnet, and host-gw cannot cross a router", c.Member, someOf(c.From))
	}, "hosts lose their path to others")
	printSome(w, i.Unsaid, func(m plan.Member) string {
		return fmt.Sprintf("%s does not tell its directly connected subnets: whether it keeps its paths is unknown", m)
	}, "hosts do not tell theirs")
	printSome(w, i.Shrink, func(s plan.Shrink) string {
		return fmt.Sprintf("%s: MTU %d -> %d; containers that run keep the larger one until they are restarted", s.Member, s.From, s.To)
	}, "hosts get a smaller MTU")
	printSome(w, i.Restart, func(m plan.Member) string {
		return fmt.Sprintf("%s follows when its flanneld is restarted", m)
	}, "hosts run flanneld, too")
	printSome(w, i.Drain, func(l lease.Lease) string {
		return fmt.Sprintf("subnet %s does not fit: its host gets another one, and containers stay reachable until its lease expires", lease.FormatSubnets(l.Subnets))
	}, "subnets do not fit")
}

func printSome[E any](w io.Writer, list []E, line func(E) string, rest string) {
	for n, e := range list {
		if n == impactLines {
			paintChange(w, fmt.Sprintf("! %d more %s", len(list)-n, rest))
			return
		}
		paintChange(w, "! "+line(e))
	}
}

// someOf names members, the first few of many.
func someOf(members []plan.Member) string {
	var names []string
	for n, m := range members {
		if n == impactLines {
			return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), len(members)-n)
		}
		names = append(names, m.String())
	}
	return strings.Join(names, ", ")
}

// underlaid warns of hosts whose public address lies in the network itself.
func underlaid(net netconf.Network, leases lease.Set) []string {
	var inside []netip.Addr
	for l := range leases.All() {
		for _, a := range l.Public {
			for _, p := range net.Prefixes() {
				if p.Contains(a) {
					inside = append(inside, a)
				}
			}
		}
	}
	if len(inside) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d hosts have their public address within the network, as %s: choose a network apart from the hosts'", len(inside), inside[0])}
}
