package lease

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
)

// Rest is what drains of a claimant's former lease: it announces what the new
// one does, and ends when the former one would have, since nobody renews it.
// Until then peers send to it, and its containers go on.
type Rest struct {
	Of      Lease          // the former lease
	Subnets []netip.Prefix // those of Of that drain: all of them, or the lease gets another key
}

// part tells what becomes of the claimant's leases but chosen: those that it
// is recorded for, and those that nobody is recorded for and that fit no
// longer (flannel deletes them). What chosen, another's lease or a prefix to
// avoid overlaps is of no use to anybody, and so is a family that the network
// has no more; the rest drains. A reservation is never deleted or cut down but
// for chosen: somebody made it on purpose, and the network may change back.
func (s sides) part(net netconf.Network, base *Lease, chosen Lease, avoid []netip.Prefix) (drop []Lease, rest []Rest) {
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
			rest = append(rest, Rest{Of: l, Subnets: keep})
		}
	}
	return drop, rest
}

// former returns the claimant's leases but chosen.
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
func (c Claim) FormerOf(r Rest) []netconf.Past {
	return slices.DeleteFunc(slices.Clone(c.Former), func(n netconf.Past) bool {
		return !slices.ContainsFunc(r.Subnets, n.Holds)
	})
}
