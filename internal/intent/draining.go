package intent

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// When the network itself changes, hosts take new subnets, and the leases of
// the old ones stand until their time is over. As long as one does, its subnet
// is routed and its packets are treated like the network's own: it drains.

// held takes note that this host has lease l now: what it had before and l
// does not hold drains from now on.
func (t *step) held(l lease.Lease) {
	s := t.state
	var left []netip.Prefix
	if s.last != nil {
		left = without(s.last.Subnets, l.Subnets)
	}
	if len(left) > 0 {
		had := slices.Concat(left, without(s.had, left))
		s.had = had[:min(len(had), mostHad)]
		text := "subnet changed; containers in the previous subnet stay reachable until its lease expires"
		if s.facts != nil && len(without(left, s.taken(false))) < len(left) {
			text = "subnet changed; the previous subnet overlaps another network of this host: restart the containers in it"
		}
		t.say(Warn, event.Lease, text, "from", lease.FormatSubnets(left), "to", lease.FormatSubnets(l.Subnets))
	}
	s.draining = without(slices.Concat(s.draining, left), l.Subnets)
	s.self, s.held = &l, true
}

// mostHad is how many subnets a host remembers that it once had, to have them
// again should the network change back.
const mostHad = 8

// without returns those of subnets that overlap none of others.
func without(subnets, others []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(subnets), func(p netip.Prefix) bool { return slices.ContainsFunc(others, p.Overlaps) })
}

// drain brings previous networks and draining subnets up to the leases.
func (t *step) drain() {
	s := t.state
	s.previous = s.stillUsed(slices.Concat(s.previous, s.store.snapshot.Former))
	if text := netconf.FormatPrevious(s.previous); text != s.said.previous {
		s.said.previous = text
		if text != "" {
			t.say(Info, event.Draining, "networks of earlier configs are routed until no lease uses them", "networks", text)
		} else {
			t.say(Info, event.Draining, "no lease uses a network of an earlier config any more")
		}
	}
	if len(s.draining) == 0 || s.facts == nil {
		return
	}
	mine := s.publicAddrs()
	still := slices.DeleteFunc(slices.Clone(s.draining), func(p netip.Prefix) bool { return !s.stillOurs(p, mine) })
	for _, p := range without(s.draining, still) {
		t.say(Info, event.Draining, "a previous subnet of this host has drained: its lease is over", "subnet", p)
	}
	s.draining = still
}

// stillUsed returns those of known that a lease needs which the network in
// force alone would not explain.
func (s *State) stillUsed(known []netconf.Previous) []netconf.Previous {
	net := *s.config.net
	known = slices.DeleteFunc(known, func(p netconf.Previous) bool {
		r, ok := net.Range(p.Family())
		return !ok || r.Previous() == p || !s.needs(p, r.Previous())
	})
	return netconf.SortPrevious(known)
}

// needs reports whether a lease stands in the previous network p and not in
// the present one.
func (s *State) needs(p, present netconf.Previous) bool {
	need := func(l lease.Lease) bool {
		subnet, ok := l.Subnet(p.Family())
		return ok && p.Holds(subnet) && !present.Regular(subnet) && (p.Regular(subnet) || !present.Holds(subnet))
	}
	if s.self != nil && need(*s.self) {
		return true
	}
	for l := range s.store.census.irregular.All() {
		if need(l) {
			return true
		}
	}
	return false
}

// stillOurs reports whether a lease stands for subnet p that announces one of
// mine, this host's addresses. Any other has been given away.
func (s *State) stillOurs(p netip.Prefix, mine []netip.Addr) bool {
	for _, key := range s.store.index.Overlapping(p) {
		l, ok := s.store.leases.Find(lease.At(key))
		if ok && slices.Contains(key, p) && announcesOneOf(l, mine) {
			return true
		}
	}
	return false
}

func announcesOneOf(l lease.Lease, addrs []netip.Addr) bool {
	return slices.ContainsFunc(l.Public, func(a netip.Addr) bool { return slices.Contains(addrs, a) })
}

// publicAddrs returns the addresses by which this host is known to others.
func (s *State) publicAddrs() []netip.Addr {
	var out []netip.Addr
	if s.self != nil {
		out = append(out, s.self.Public...)
	}
	if s.facts != nil {
		out = append(out, s.facts.Public...)
	}
	return out
}

// networks returns the prefixes of the network in force and of previous ones.
func (s *State) networks() []netip.Prefix {
	out := s.config.net.Prefixes()
	for _, p := range s.previous {
		if !slices.Contains(out, p.Network) {
			out = append(out, p.Network)
		}
	}
	return out
}

// peers returns the leases of all hosts but this one: without those of its own
// whose subnets drain. Of its present lease the plan takes care.
func (s *State) peers(self lease.Lease) lease.Set {
	all := s.store.leases
	if len(s.draining) == 0 {
		return all
	}
	own, mine := slices.Concat(self.Subnets, s.draining), s.publicAddrs()
	for _, p := range s.draining {
		for _, key := range s.store.index.Overlapping(p) {
			l, ok := all.Find(lease.At(key))
			foreign := func(p netip.Prefix) bool { return !slices.Contains(own, p) }
			if ok && announcesOneOf(l, mine) && !slices.ContainsFunc(l.Subnets, foreign) {
				all = all.Without(l)
			}
		}
	}
	return all
}
