package lease

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
)

// Draining is what is kept of a claimant's previous lease: it announces what the
// new one does, and ends when the previous one would have, since it is not
// renewed. Until then peers send to it, and its containers stay reachable.
type Draining struct {
	Of      Lease          // the previous lease
	Subnets []netip.Prefix // those of Of that drain: all of them, or the lease gets another key
}

// part decides what becomes of the claimant's leases except chosen: those that
// it is recorded for, and those without a record that no longer fit (flannel
// deletes them). What overlaps chosen, another host's lease or a prefix to avoid
// is dropped, and so is a family that the network no longer has; the rest
// drains. A reservation is never deleted or cut down except for chosen: an
// operator made it on purpose, and the network may change back.
func (s sides) part(net netconf.Network, base *Lease, chosen Lease, avoid []netip.Prefix) (drop []Lease, rest []Draining) {
	lost := slices.Concat(chosen.Subnets, s.settled(s.foreign), avoid)
	for _, l := range s.former(base, chosen) {
		keep := slices.DeleteFunc(slices.Clone(l.Subnets), func(p netip.Prefix) bool {
			_, served := net.Range(netconf.FamilyOf(p.Addr()))
			return !served || slices.ContainsFunc(lost, p.Overlaps)
		})
		whole := len(keep) == len(l.Subnets)
		replaced := base != nil && same(l, *base)
		switch {
		case l.Reserved && !whole && !replaced:
		case len(keep) == 0:
			drop = append(drop, l)
		default:
			rest = append(rest, Draining{Of: l, Subnets: keep})
		}
	}
	return drop, rest
}

// former returns the claimant's leases except chosen.
func (s sides) former(base *Lease, chosen Lease) []Lease {
	all := slices.Concat(s.old, s.unfit, s.pinned)
	if base != nil && !slices.ContainsFunc(all, func(l Lease) bool { return same(l, *base) }) {
		all = append(all, *base)
	}
	return slices.DeleteFunc(all, func(l Lease) bool { return same(l, chosen) })
}

// before returns the subnets of the claimant's leases.
func (s sides) before() []netip.Prefix {
	var out []netip.Prefix
	for _, l := range slices.Concat(s.old, s.unfit) {
		out = append(out, l.Subnets...)
	}
	return out
}

// FormerOf returns those of c.Former that a subnet of r lies in.
func (c Claim) FormerOf(r Draining) []netconf.Previous {
	return slices.DeleteFunc(slices.Clone(c.Former), func(n netconf.Previous) bool {
		return !slices.ContainsFunc(r.Subnets, n.Holds)
	})
}
