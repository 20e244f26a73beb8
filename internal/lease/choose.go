package lease

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
)

// Choice is what a claimant is to do in the store. Lease, Drop and the owner's
// record belong into one transaction, which must fail if a lease that
// overlaps Lease came into being since the leases were read: the key alone
// does not tell, as leases of different keys may share a subnet of one family.
type Choice struct {
	Lease    Lease      // what to store: the subnets, the claim's attributes, Reserved
	Had      bool       // a lease of exactly these subnets was there and becomes Lease; else the key must not exist
	Drop     []Lease    // the claimant's former leases, to be deleted
	Draining []Draining // those of which something drains
	Why      Reason     // for logs; of several families' the first in Reason's order
	Ended    []Owner    // records of other sessions whose leases are the claimant's now: for Claim.Ended from here on
}

// Choose decides which subnets a claimant gets in net, one of every family,
// given all leases and the owners recorded beside them by lease Key.
//
// First comes the claimant's own lease: the one recorded under its ID; or one
// that announces its public address, if it has no record (flanneld's), or a
// host of the same name and machine is (its state directory was lost), or a
// host that no longer answers. A record that may be a running agent's is to be
// asked first: see ContestedError. What
// of it still fits net is kept, whatever address it announced. Next come the
// preferred subnets, also out of a reservation without owner and address, and
// at last the free subnet that pick selects, a random number, so that hosts
// starting at once spread out. A subnet that overlaps another's lease or a
// prefix to avoid is never chosen, but that the claimant keeps its lease rather
// than have none. A reservation stays one. What the claimant had before and does
// not keep drains: see Draining.
//
// Errors: *AddressTakenError, *ContestedError, ErrExhausted.
func Choose(net netconf.Network, all []Lease, owners map[string]Owner, c Claim, pick uint64) (Choice, error) {
	s, err := classify(net, all, owners, c)
	if err != nil {
		return Choice{}, err
	}
	choice, err := s.choose(net, c, pick)
	if errors.Is(err, ErrExhausted) && len(c.Avoid) > 0 {
		c.Avoid = nil
		if kept, _ := s.choose(net, c, pick); kept.Had && kept.Why == ReasonOwn {
			return kept, nil
		}
	}
	return choice, err
}

func (s sides) choose(net netconf.Network, c Claim, pick uint64) (Choice, error) {
	base, why := s.base(net, c)
	taken := s.taken(base, c.Avoid)
	choice := Choice{Lease: Lease{Attrs: c.Attrs}, Why: ReasonFree, Ended: s.ended}
	for _, r := range net.Ranges {
		from := candidates(r, base, why, c.Preferred)
		p, reason, err := subnet(r, from, taken, c.Local, s, pick)
		if err != nil {
			return Choice{}, exhausted(err, r, c.Avoid)
		}
		choice.Lease.Subnets = append(choice.Lease.Subnets, p)
		choice.Why = min(choice.Why, reason)
	}
	if base != nil {
		choice.Lease.Reserved = base.Reserved
		choice.Had = same(*base, choice.Lease)
	}
	choice.Drop, choice.Draining = s.part(net, base, choice.Lease, c.Avoid)
	return choice, nil
}

// candidate is a subnet to try before a free one is picked.
type candidate struct {
	subnet netip.Prefix
	why    Reason
}

func candidates(r netconf.Range, base *Lease, why Reason, preferred []netip.Prefix) []candidate {
	var out []candidate
	if base != nil {
		if p, ok := base.Subnet(r.Family()); ok {
			out = append(out, candidate{p, why})
		}
	}
	for _, p := range preferred {
		out = append(out, candidate{p.Masked(), ReasonPreferred})
	}
	return out
}

// subnet chooses the subnet of one range. A free one lies beside those of
// before, which then can drain, and beside local networks, unless there is no
// other.
func subnet(r netconf.Range, from []candidate, taken, local []netip.Prefix, s sides, pick uint64) (netip.Prefix, Reason, error) {
	settled := s.settled(taken)
	for _, c := range from {
		if usable(r, c.subnet, taken) || c.why == ReasonOwn && usable(r, c.subnet, settled) {
			return c.subnet, c.why, nil
		}
	}
	for _, also := range [][]netip.Prefix{slices.Concat(s.before(), local), s.before(), nil} {
		if p, ok := pickFree(r, slices.Concat(taken, also), pick); ok {
			return p, ReasonFree, nil
		}
	}
	return netip.Prefix{}, ReasonFree, fmt.Errorf("%s of %s: all %d subnets of length %d are taken: %w", r.Family(), r.Network, r.Count(), r.SubnetLen, ErrExhausted)
}

// exhausted adds to err which of r's subnets were not to be chosen.
func exhausted(err error, r netconf.Range, avoid []netip.Prefix) error {
	in := slices.DeleteFunc(slices.Clone(avoid), func(p netip.Prefix) bool { return !p.Overlaps(r.Network) })
	if len(in) == 0 {
		return err
	}
	return fmt.Errorf("%w; those that overlap %v are not leased, since this host is attached to other networks there", err, in)
}

// usable tells whether r gives out p and nothing stands in its way.
func usable(r netconf.Range, p netip.Prefix, taken []netip.Prefix) bool {
	return r.Fits(p) == nil && !slices.ContainsFunc(taken, p.Overlaps)
}
