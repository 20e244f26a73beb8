package agent

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// When the network itself changes, hosts take new subnets, and the leases of
// the old ones stand until their time is over. As long as one does, its subnet
// is routed and its packets are treated like the network's own: it drains.

// pasts returns the ranges of a config document as an earlier config's; none
// if it cannot be read.
func pasts(doc []byte) []netconf.Past {
	net, err := netconf.Parse(doc)
	if err != nil {
		return nil
	}
	var out []netconf.Past
	for _, r := range net.Ranges {
		out = append(out, r.Past())
	}
	return out
}

// stillUsed returns those of known that a lease needs which net alone would
// not explain.
func stillUsed(known []netconf.Past, net netconf.Network, leases []lease.Lease) []netconf.Past {
	used := slices.DeleteFunc(slices.Clone(known), func(p netconf.Past) bool {
		r, ok := net.Range(p.Family())
		if !ok || r.Past() == p {
			return true
		}
		return !slices.ContainsFunc(leases, func(l lease.Lease) bool {
			subnet, ok := l.Subnet(p.Family())
			return ok && p.Holds(subnet) && !r.Past().Regular(subnet) && (p.Regular(subnet) || !r.Past().Holds(subnet))
		})
	})
	return netconf.SortPasts(used)
}

// stillOwn returns those of subnets for which a lease stands that announces
// one of public, this host's addresses. Any other has been given away.
func stillOwn(subnets []netip.Prefix, leases []lease.Lease, public []netip.Addr) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(subnets), func(p netip.Prefix) bool {
		return !slices.ContainsFunc(leases, func(l lease.Lease) bool {
			return slices.Contains(l.Subnets, p) && announcesOneOf(l, public)
		})
	})
}

func announcesOneOf(l lease.Lease, public []netip.Addr) bool {
	return slices.ContainsFunc(l.Public, func(a netip.Addr) bool { return slices.Contains(public, a) })
}

// moved takes note that this host has lease l now: what it had before and l
// does not hold drains from now on.
func (s *steerer) moved(l lease.Lease) {
	var left []netip.Prefix
	if old := s.memory.Self; old != nil {
		left = without(old.Subnets, l.Subnets)
	}
	if len(left) > 0 {
		s.memory.had = slices.Concat(left, without(s.memory.had, left))
		s.memory.had = s.memory.had[:min(len(s.memory.had), mostHad)]
		s.log.Warn("this host has another subnet; what runs in the former one goes on as long as its lease stands",
			"subnets", lease.FormatSubnets(l.Subnets), "former", lease.FormatSubnets(left))
	}
	s.memory.drains = without(slices.Concat(s.memory.drains, left), l.Subnets)
	s.self, s.dirty = &l, true
}

// mostHad is how many subnets a host remembers that it once had.
const mostHad = 8

// without returns those of subnets that overlap none of others.
func without(subnets, others []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(subnets), func(p netip.Prefix) bool { return slices.ContainsFunc(others, p.Overlaps) })
}

// drain brings what drains up to the snapshot.
func (s *steerer) drain() {
	snap := s.memory.Snapshot
	leases := snap.Leases.Slice()
	if s.self != nil {
		leases = append(leases, *s.self)
	}
	past := stillUsed(slices.Concat(s.memory.past, snap.Former), *s.net, leases)
	if !slices.Equal(past, s.memory.past) {
		s.memory.past, s.dirty, s.stale = past, true, true
	}
	if now := netconf.FormatPasts(past); now != s.routed {
		s.routed = now
		s.log.Info("networks of earlier configs that are routed while leases stand in them", "networks", now)
	}
	if s.self == nil || s.host == nil || len(s.memory.drains) == 0 {
		return
	}
	drains := stillOwn(s.memory.drains, snap.Leases.Slice(), slices.Concat(s.self.Public, s.host.Public))
	for _, p := range s.memory.drains {
		if !slices.Contains(drains, p) {
			s.log.Info("a former subnet of this host has drained: its lease is over", "subnet", p)
			s.dirty = true
		}
	}
	s.memory.drains = drains
}

func (s *steerer) networks() []netip.Prefix { return allNetworks(*s.net, s.memory.past) }

// allNetworks returns net's prefixes and those of past.
func allNetworks(net netconf.Network, past []netconf.Past) []netip.Prefix {
	out := net.Prefixes()
	for _, p := range past {
		if !slices.Contains(out, p.Network) {
			out = append(out, p.Network)
		}
	}
	return out
}

// others returns the leases of all hosts but this one: without those whose
// subnets drain. Of self's own lease plan takes care.
func others(all []lease.Lease, self lease.Lease, drains []netip.Prefix, public []netip.Addr) []lease.Lease {
	if len(drains) == 0 {
		return all
	}
	own := slices.Concat(self.Subnets, drains)
	return slices.DeleteFunc(slices.Clone(all), func(l lease.Lease) bool {
		return announcesOneOf(l, public) && !slices.ContainsFunc(l.Subnets, func(p netip.Prefix) bool { return !slices.Contains(own, p) })
	})
}
