package agent

import (
	"context"
	"net/netip"
	"reflect"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/subnetenv"
)

// claim tells the keeper what to get a lease for, if that has changed.
func (s *steerer) claim(attrs lease.Attrs) {
	c := claim{net: *s.net, Claim: lease.Claim{
		Owner: s.owner,
		Attrs: attrs,
		Avoid: s.host.Uplink.OnLink,
	}}
	if s.claimed != nil && reflect.DeepEqual(*s.claimed, c) {
		return
	}
	s.claimed = &c
	asked := c // what is preferred changes once a lease is held, and is no new claim
	asked.Preferred, asked.Former = s.preferred(), s.memory.past
	if present := s.ways[0]; !s.noted.is(present) {
		// Before anybody sends here in this way, it must be known after a crash, too.
		s.diary.write(s.page())
		s.noted = present
	}
	s.keeper.claims.put(asked)
}

// before gathers what peers may know of this host already.
func (s *steerer) before(ctx context.Context) plan.Before {
	if attrs, ok := s.ways.announced(s.net.Backend); ok {
		return plan.Before{Attrs: attrs}
	}
	if s.self != nil {
		return plan.Before{Attrs: s.self.Attrs}
	}
	if a := s.memory.Snapshot.Assigned; a != nil && a.Attrs.Backend != "" {
		return plan.Before{Attrs: a.Attrs}
	}
	before, ok := known(s.memory.Snapshot.Leases.Slice(), *s.host, s.memory)
	if ok {
		return before
	}
	have, err := s.opts.Kernel.Observe(ctx, netstate.Scope{Links: plan.LinkNames(*s.net)}, netstate.AllKinds)
	if err != nil {
		s.log.Warn("looking for devices of an earlier run", "error", err)
	}
	return plan.Before{Have: have}
}

// known finds what this host announced before: by its address among the
// leases, else in memory.
func known(leases []lease.Lease, facts host.Facts, mem memory) (plan.Before, bool) {
	for _, l := range leases {
		if slices.ContainsFunc(l.Public, func(a netip.Addr) bool { return slices.Contains(facts.Public, a) }) {
			return plan.Before{Attrs: l.Attrs}, true
		}
	}
	if mem.Self != nil {
		return plan.Before{Attrs: mem.Self.Attrs}, true
	}
	return plan.Before{}, false
}

// preferred returns the subnets that this host had before, the last ones
// first.
func (s *steerer) preferred() []netip.Prefix {
	var out []netip.Prefix
	env, err := subnetenv.Read(s.opts.SubnetFile)
	if err == nil {
		out = env.Subnets
	}
	if s.memory.Self != nil {
		out = append(slices.Clone(s.memory.Self.Subnets), out...)
	}
	return append(out, s.memory.had...)
}
