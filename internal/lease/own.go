package lease

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
)

// sides is all leases as one claimant sees them.
type sides struct {
	old     []Lease               // the claimant's by record, without reservations: at most one is kept
	unfit   []Lease               // without a record, announce the claimant's address, no longer fit
	pinned  []Lease               // reservations that are the claimant's by record
	unowned []Lease               // without a record, announce the claimant's address
	open    []Lease               // reservations for any host that prefers their subnet
	foreign []netip.Prefix        // the subnets of all other hosts
	ended   []Owner               // the records of other sessions by which leases are the claimant's
	outside map[netip.Prefix]bool // those of foreign without a record that the network does not give out
}

// classify decides whose the leases are. It refuses the claim if a public
// address of the claimant's belongs to another, and returns a ContestedError
// if that depends on whether another agent runs.
func classify(net netconf.Network, all []Lease, owners map[string]Owner, c Claim) (sides, error) {
	s := sides{outside: map[netip.Prefix]bool{}}
	for _, l := range all {
		owner, owned := owners[Key(l.Subnets)]
		if !owned {
			s.addUnowned(net, l, c)
			continue
		}
		addr, shared := sharedAddr(l.Public, c.Public)
		switch c.relate(owner, shared) {
		case refused:
			return sides{}, &AddressTakenError{Addr: addr, Holder: owner, Held: l.Subnets, Claimant: c.Owner}
		case contested:
			return sides{}, &ContestedError{Holder: owner, Held: l, Addr: addr, Claim: c}
		case own:
			if owner.Session != c.Session && !slices.Contains(s.ended, owner) {
				s.ended = append(s.ended, owner)
			}
			if l.Reserved {
				s.pinned = append(s.pinned, l)
			} else {
				s.old = append(s.old, l)
			}
		case stranger:
			s.foreign = append(s.foreign, l.Subnets...)
		}
	}
	return s, nil
}

// addUnowned adds a lease without a record.
func (s *sides) addUnowned(net netconf.Network, l Lease, c Claim) {
	_, shared := sharedAddr(l.Public, c.Public)
	switch {
	case shared && !l.Reserved && fitting(net, l, nil) == 0:
		s.unfit = append(s.unfit, l)
	case shared:
		s.unowned = append(s.unowned, l)
	case l.Reserved && len(l.Public) == 0:
		s.open = append(s.open, l)
	default:
		s.foreign = append(s.foreign, l.Subnets...)
		s.addOutside(net, l.Subnets)
	}
}

// base returns the lease to build on, nil if there is none: of the claimant's
// the one that fits with the most families, of several the one that no other lease
// overlaps and that is preferred, else such a reservation that holds a
// preferred subnet.
func (s sides) base(net netconf.Network, c Claim) (*Lease, Reason) {
	wanted := slices.DeleteFunc(slices.Clone(s.open), func(l Lease) bool { return !prefers(c, l) })
	for _, from := range []struct {
		leases []Lease
		why    Reason
	}{
		{slices.Concat(s.old, s.pinned), ReasonOwn},
		{s.unowned, ReasonAdopted},
		{wanted, ReasonReserved},
	} {
		best, most := -1, 0
		for i, l := range from.leases {
			taken := s.taken(&l, c.Avoid)
			score := 4 * fitting(net, l, s.settled(taken))
			if score > 0 && fitting(net, l, taken)*4 == score {
				score += 2
			}
			if score > 0 && prefers(c, l) {
				score++
			}
			if score > most {
				best, most = i, score
			}
		}
		if best >= 0 {
			return &from.leases[best], from.why
		}
	}
	return nil, ReasonFree
}

// taken returns what no subnet may overlap once the claimant holds base:
// avoid and all leases but base and those that part deletes or cuts down.
func (s sides) taken(base *Lease, avoid []netip.Prefix) []netip.Prefix {
	out := slices.Concat(avoid, s.foreign)
	for _, l := range slices.Concat(s.pinned, s.unowned, s.open) {
		if base == nil || !same(l, *base) {
			out = append(out, l.Subnets...)
		}
	}
	return out
}

// settled returns taken without leases outside the network: a host keeps its
// lease although one of them overlaps it, since its peers ignore those, too.
func (s sides) settled(taken []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(taken), func(p netip.Prefix) bool { return s.outside[p] })
}

// addOutside notes those of subnets that net does not give out.
func (s sides) addOutside(net netconf.Network, subnets []netip.Prefix) {
	for _, p := range subnets {
		if r, ok := net.Range(netconf.FamilyOf(p.Addr())); !ok || !r.Previous().Regular(p) {
			s.outside[p] = true
		}
	}
}

// fitting counts the families in which l can be kept.
func fitting(net netconf.Network, l Lease, taken []netip.Prefix) int {
	n := 0
	for _, r := range net.Ranges {
		if p, ok := l.Subnet(r.Family()); ok && usable(r, p, taken) {
			n++
		}
	}
	return n
}

// prefers tells whether a subnet of l is one of those that c would like.
func prefers(c Claim, l Lease) bool {
	return slices.ContainsFunc(c.Preferred, func(p netip.Prefix) bool {
		return slices.Contains(l.Subnets, p.Masked())
	})
}

// same tells whether two leases have one key.
func same(a, b Lease) bool { return slices.Equal(a.Subnets, b.Subnets) }

func sharedAddr(a, b []netip.Addr) (netip.Addr, bool) {
	for _, x := range a {
		if slices.Contains(b, x) {
			return x, true
		}
	}
	return netip.Addr{}, false
}
