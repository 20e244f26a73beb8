package plan

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

// peer is a lease with the one subnet of it that is being planned.
type peer struct {
	*lease.Lease
	subnet netip.Prefix
	group  int            // of the networks, the first that gives out such subnets; their count if none does
	proven proven         // of the paths to it
	key    netstate.WGKey // its public one, if this host encrypts and it is known
}

// compare orders by address, then the wider first, then by what else tells two
// leases apart, so that no two are equal.
func (p *peer) compare(o *peer) int {
	if c := p.subnet.Addr().Compare(o.subnet.Addr()); c != 0 {
		return c // nearly always
	}
	return cmp.Or(
		cmp.Compare(p.subnet.Bits(), o.subnet.Bits()),
		cmp.Compare(len(p.Subnets), len(o.Subnets)),
		lease.CompareSubnets(p.Subnets, o.Subnets),
	)
}

// rank orders by who wins where subnets overlap: the one that has the
// network's subnet length, so that a stray lease cannot take packets from a
// regular one, then the first by compare.
func (p *peer) rank(o *peer) int { return cmp.Or(cmp.Compare(p.group, o.group), p.compare(o)) }

// candidate returns the peer that l is in family f; false if it is none, since
// it has no subnet of f, is this host's own, or is a reservation that no host
// has claimed.
func (b *basis) candidate(l *lease.Lease, f netconf.Family) (peer, bool) {
	subnet, ok := l.Subnet(f)
	if !ok || l.Vacant() || !b.in.Foreign(l) {
		return peer{}, false
	}
	networks := b.networks[f]
	group := 0
	for group < len(networks) && !networks[group].Regular(subnet) {
		group++
	}
	return peer{l, subnet, group, b.in.proven(l, f), b.keyOf(l, f)}, true
}

// fits returns what is wrong with p's subnet by itself.
func (b *basis) fits(p *peer) error {
	networks := b.networks[netconf.FamilyOf(p.subnet.Addr())]
	if !slices.ContainsFunc(networks, func(n netconf.Previous) bool { return n.Holds(p.subnet) }) {
		return fmt.Errorf("is outside the network %s and is not routed; %s", networks[0].Network, ifGone(p.Lease))
	}
	for _, own := range b.fw.Subnets {
		if own.Overlaps(p.subnet) {
			return fmt.Errorf("overlaps this host's subnet %s and is not routed; %s", own, ifGone(p.Lease))
		}
	}
	for _, a := range b.taken {
		if a.Prefix.Overlaps(p.subnet) && b.displaces(p, a) {
			return fmt.Errorf("overlaps %s on this host's interface %s and is not routed; %s", a.Prefix, a.Dev, renumber(a))
		}
	}
	return nil
}

// displaces reports whether a route to p's subnet would take from a, a network
// of this host that it overlaps, what the host reaches there: it would take the
// place of the route to a, or go before it. A container network loses only the
// addresses that others have as well. On the uplink nothing is risked.
func (b *basis) displaces(p *peer, a host.Attached) bool {
	switch {
	case a.Dev == b.in.Host.Uplink.Name, a.Prefix == p.subnet:
		return true
	case a.Local:
		return false
	}
	return a.Prefix.Bits() < p.subnet.Bits()
}

// partly returns an error if p's subnet is routed although it overlaps a
// network of this host: it says what cannot be reached.
func (b *basis) partly(p *peer) error {
	for _, a := range b.taken {
		switch {
		case !a.Prefix.Overlaps(p.subnet):
		case a.Prefix.Bits() > p.subnet.Bits():
			return fmt.Errorf("includes %s on this host's interface %s, so packets to that part do not leave this host; %s", a.Prefix, a.Dev, renumber(a))
		default:
			return fmt.Errorf("is a part of %s on this host's interface %s, so containers there with such an address are not reached; %s", a.Prefix, a.Dev, renumber(a))
		}
	}
	return nil
}

// renumber is what an operator can do about a subnet that overlaps a.
func renumber(a host.Attached) string {
	if a.Local {
		return "give " + a.Dev + " this host's subnet (Docker: 'weft docker configure') or another range"
	}
	return "give " + a.Dev + " another range, or exclude this one with SubnetMin or SubnetMax of the network config (Kubernetes: with another PodCIDR)"
}

// overlaps says that p is left out because of o.
func (p *peer) overlaps(o *peer) error {
	return fmt.Errorf("overlaps %s of %s and is not routed; %s", o.subnet, lease.FormatSubnets(o.Subnets), ifGone(p.Lease))
}

// admission is the peers of one family, each list sorted by compare.
type admission struct {
	fit      []*peer // nothing is wrong with them by themselves
	admitted []*peer // of those, the ones whose subnets are routed; no two overlap
}

// admit decides which of leases have their subnet of family f routed: those
// that lie within the network or a previous one, and overlap neither this
// host's subnets, nor its other networks, nor a peer of better rank.
func (b *basis) admit(f netconf.Family, leases []lease.Lease) (a admission, faults []fault) {
	for _, group := range b.candidates(f, leases) {
		earlier := a.admitted
		sortPeers(earlier)
		for _, p := range group {
			if err := b.fits(p); err != nil {
				faults = append(faults, p.fault(f, admitting, err))
				continue
			}
			a.fit = append(a.fit, p)
			if err := b.partly(p); err != nil {
				faults = append(faults, p.fault(f, sharing, err))
			}
			if o := clash(p, earlier, a.admitted[len(earlier):]); o != nil {
				faults = append(faults, p.fault(f, admitting, p.overlaps(o)))
				continue
			}
			a.admitted = append(a.admitted, p)
		}
	}
	sortPeers(a.fit)
	sortPeers(a.admitted)
	return a, faults
}

// candidates returns the candidates among leases by group, each sorted.
func (b *basis) candidates(f netconf.Family, leases []lease.Lease) [][]*peer {
	peers := make([]peer, 0, len(leases))
	groups := make([][]*peer, len(b.networks[f])+1)
	groups[0] = make([]*peer, 0, len(leases))
	for i := range leases {
		if p, ok := b.candidate(&leases[i], f); ok {
			peers = append(peers, p)
			groups[p.group] = append(groups[p.group], &peers[len(peers)-1])
		}
	}
	for _, group := range groups {
		sortPeers(group)
	}
	return groups
}

// sortPeers sorts peers; a store's leases come sorted already.
func sortPeers(peers []*peer) {
	if !slices.IsSortedFunc(peers, (*peer).compare) {
		slices.SortFunc(peers, (*peer).compare)
	}
}

// clash returns the peer that p overlaps, of earlier groups (sorted, none
// overlapping another) or the one admitted last in its own sorted group; nil
// if none.
func clash(p *peer, earlier, group []*peer) *peer {
	i, _ := slices.BinarySearchFunc(earlier, p, (*peer).compare)
	near := [...][]*peer{earlier[max(0, i-1):min(len(earlier), i+1)], group[max(0, len(group)-1):]}
	for _, some := range near {
		for _, o := range some {
			if o.subnet.Overlaps(p.subnet) {
				return o
			}
		}
	}
	return nil
}
