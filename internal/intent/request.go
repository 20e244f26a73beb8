package intent

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/lease"
)

// resume goes by the lease of before a restart if it still stands in the
// store, so that the host is ready to receive before it announces anything.
func (t *step) resume() {
	s := t.state
	if s.self != nil || s.last == nil {
		return
	}
	if l, ok := s.store.leases.Find(*s.last); ok && slices.Equal(l.Public, s.last.Public) {
		s.self = &l
	}
}

// request asks for the lease that is to announce attrs, once this host can be
// reached in that way. What the store has announced already needs no such
// proof: renewing it does not depend on the kernel. Nothing is asked for while
// the store has not been heard, since its config may be another by now.
func (t *step) request(attrs lease.Attrs) {
	s := t.state
	if !s.heard || !s.mayAnnounce(attrs) {
		return
	}
	r := LeaseRequest{Net: *s.config.net, Claim: lease.Claim{
		Owner: s.opts.Owner,
		Attrs: attrs,
		Avoid: s.taken(false),
		Host: lease.Host{
			Name: s.opts.Owner.Hostname, Version: s.opts.Version,
			OnLink: s.facts.Uplink.OnLink, MTU: s.facts.Uplink.MTU,
			WireGuard: s.publicKey(),
		},
	}}
	t.tellMisplaced(r.Avoid)
	if s.requested != nil && equal(*s.requested, r) {
		return
	}
	s.requested = &r
	asked := r // what is preferred changes once a lease is held, and is no new request
	asked.Preferred, asked.Local, asked.Former = s.preferred(), s.taken(true), s.previous
	t.out.Request = &asked
}

// publicKey is this host's for WireGuard, "" if it has none. It is told whatever the
// backend: peers that know it can answer the first encrypted packet.
func (s *State) publicKey() string {
	if s.key.IsZero() {
		return ""
	}
	return s.key.String()
}

// taken returns the networks of this host that subnets may collide with: those
// in which there are other hosts, or those of its containers alone.
func (s *State) taken(local bool) []netip.Prefix {
	var out []netip.Prefix
	for _, n := range s.networks() {
		for _, a := range s.facts.Taken(n) {
			if a.Local == local && !slices.Contains(out, a.Prefix) {
				out = append(out, a.Prefix)
			}
		}
	}
	return out
}

// tellMisplaced logs why another lease is asked for when this host has been
// attached to a network that its subnet overlaps.
func (t *step) tellMisplaced(avoid []netip.Prefix) {
	s := t.state
	if s.self == nil || s.opts.Assigned || s.requested == nil || equal(s.requested.Avoid, avoid) {
		return
	}
	if lost := without(s.self.Subnets, without(s.self.Subnets, avoid)); len(lost) > 0 {
		t.say(Warn, event.Lease, "this host's subnet overlaps another network of this host; asking for another subnet", "subnet", lease.FormatSubnets(lost), "networks", avoid)
	}
}

// mayAnnounce reports whether attrs may be announced: nobody sends here yet,
// or they are announced, or the kernel receives in that way.
func (s *State) mayAnnounce(attrs lease.Attrs) bool {
	if s.self == nil || s.pass.Received >= s.receiving {
		return true
	}
	stored, ok := s.store.snapshot.Leases.Find(*s.self)
	return ok && stored.Attrs.Equal(attrs)
}

// preferred returns the subnets that this host had before, the last ones
// first.
func (s *State) preferred() []netip.Prefix {
	var out []netip.Prefix
	if s.last != nil {
		out = append(out, s.last.Subnets...)
	}
	return append(append(out, s.opts.Preferred...), s.had...)
}
