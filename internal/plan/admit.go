package plan

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// peer is a lease with the one subnet of it that is being planned.
type peer struct {
	*lease.Lease
	subnet netip.Prefix
	odd    bool // not of the kind that the network gives out
}

func (p *peer) problem(err error) Problem {
	return Problem{Subject: lease.FormatSubnets(p.Subnets), Err: err}
}

// admit returns the peers whose subnet of family f may be routed, sorted by
// subnet: within the network or a former one, and overlapping neither each
// other nor this host's subnets nor the uplink's own prefixes. Of two that
// overlap the one that has the network's subnet length wins, so that a stray
// lease cannot take packets from a regular one.
func admit(in Input, f netconf.Family) ([]peer, []Problem) {
	r, ok := in.Net.Range(f)
	if !ok {
		return nil, nil
	}
	networks := append([]netconf.Past{r.Past()}, ofFamily(in.Past, f)...)
	groups := candidates(&in, networks)
	own := slices.Concat(in.Self.Subnets, in.Drains)
	admitted := make([]peer, 0, len(groups[0]))
	var problems []Problem
	for _, group := range groups {
		ranked := admitted
		sortBySubnet(ranked)
		for i := range group {
			p := &group[i]
			err := fits(p.subnet, networks, own, in.Host.Uplink.OnLink)
			if err == nil {
				err = clash(*p, ranked, admitted[len(ranked):])
			}
			if err != nil {
				problems = append(problems, p.problem(err))
				continue
			}
			admitted = append(admitted, *p)
		}
	}
	sortBySubnet(admitted)
	return admitted, problems
}

func ofFamily(pasts []netconf.Past, f netconf.Family) []netconf.Past {
	return slices.DeleteFunc(slices.Clone(pasts), func(p netconf.Past) bool { return p.Family() != f })
}

// candidates returns in's peers that have a subnet in networks' family, but for
// reservations that nobody has claimed, in groups and each group sorted: those
// that are regular in the first network, in the second one and so on, and
// the rest.
func candidates(in *Input, networks []netconf.Past) [][]peer {
	groups := make([][]peer, len(networks)+1)
	leases := in.Peers.Slice()
	groups[0] = make([]peer, 0, len(leases))
	for i := range leases {
		l := &leases[i]
		subnet, ok := l.Subnet(networks[0].Family())
		if !ok || l.Vacant() || !in.Foreign(l) {
			continue
		}
		g := 0
		for g < len(networks) && !networks[g].Regular(subnet) {
			g++
		}
		groups[g] = append(groups[g], peer{l, subnet, g > 0})
	}
	for _, group := range groups {
		sortBySubnet(group)
	}
	return groups
}

// sortBySubnet sorts peers; a store's leases come sorted already.
func sortBySubnet(peers []peer) {
	if !slices.IsSortedFunc(peers, bySubnet) {
		slices.SortFunc(peers, bySubnet)
	}
}

// bySubnet orders by address, then the wider first, then by what else tells
// two leases apart, so that shuffled input gives the same plan.
func bySubnet(a, b peer) int {
	if c := a.subnet.Addr().Compare(b.subnet.Addr()); c != 0 {
		return c // nearly always
	}
	return cmp.Or(
		cmp.Compare(a.subnet.Bits(), b.subnet.Bits()),
		cmp.Compare(len(a.Subnets), len(b.Subnets)),
		slices.CompareFunc(a.Subnets, b.Subnets, func(p, q netip.Prefix) int {
			return cmp.Or(p.Addr().Compare(q.Addr()), cmp.Compare(p.Bits(), q.Bits()))
		}),
	)
}

// fits returns what is wrong with subnet by itself. networks are the present
// one and those of before.
func fits(subnet netip.Prefix, networks []netconf.Past, own, uplink []netip.Prefix) error {
	if !slices.ContainsFunc(networks, func(n netconf.Past) bool { return n.Holds(subnet) }) {
		return fmt.Errorf("lies outside the network %s", networks[0].Network)
	}
	for _, p := range own {
		if p.Overlaps(subnet) {
			return fmt.Errorf("overlaps this host's subnet %s", p)
		}
	}
	for _, p := range uplink {
		if p.Overlaps(subnet) {
			return fmt.Errorf("overlaps %s, which is connected to this host's uplink", p)
		}
	}
	return nil
}

// clash reports an overlap of p with a peer of an earlier group (sorted, none
// overlapping another) or with the one admitted last in its own sorted group.
func clash(p peer, earlier, group []peer) error {
	i, _ := slices.BinarySearchFunc(earlier, p, bySubnet)
	near := [...][]peer{earlier[max(0, i-1):min(len(earlier), i+1)], group[max(0, len(group)-1):]}
	for _, some := range near {
		for _, o := range some {
			if o.subnet.Overlaps(p.subnet) {
				return fmt.Errorf("overlaps %s of %s", o.subnet, lease.FormatSubnets(o.Subnets))
			}
		}
	}
	return nil
}
