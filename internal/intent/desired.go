package intent

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/sorted"
	"github.com/weft-net/weft/internal/subnetenv"
)

// plan makes the state that the inputs call for the desired one. Without a
// plan the last one stays.
func (t *step) plan(attrs lease.Attrs) {
	s := t.state
	s.wrong = holding(s.wrong, *s.facts)
	in := s.planInput(t, attrs)
	if s.input != nil && sameInput(*s.input, in) && s.keepStale == !s.heard {
		return
	}
	t.tellPeers(s.input, &in)
	desired, problems := s.planner.Update(in)
	s.faults.Plan = nil
	if desired == nil {
		s.faults.Plan = problems[len(problems)-1].Err
		t.say(Error, event.Problem, "no plan can be made of the present leases; still using the last one", "error", s.faults.Plan)
		s.input = &in
		return
	}
	serves := s.serves.With(s.networks(), desired)
	s.overwritten = s.overwritten.overwriting(s.facts.Params, desired)
	changed := s.desired == nil || s.keepStale != !s.heard || !serves.equal(s.serves) || !sameState(s.desired, desired)
	t.tellProblems(problems)
	s.input, s.problems = &in, problems
	s.last = &in.Self
	if !changed {
		t.carry(in)
		return
	}
	s.generation++
	if s.desired == nil || !sameReceiving(s.desired, desired) {
		s.receiving = s.generation
	}
	s.desired, s.serves, s.keepStale = desired, serves, !s.heard
	t.carry(in)
	t.out.Desired = &Desired{
		Generation: s.generation, State: desired, Scope: serves.Scope(desired),
		Shared: shared(in), Peers: in.Peers.Len() - s.store.census.vacant, KeepStale: s.keepStale,
	}
}

func (s *State) planInput(t *step, attrs lease.Attrs) plan.Input {
	self, facts := *s.self, *s.facts
	self.Attrs, facts.Others = attrs, nil
	return plan.Input{
		Net: *s.config.net, Host: facts, Self: self,
		Spare: len(s.history) > 0 && s.history[0].spare, Former: s.history.former(t.now), Draining: s.draining, Previous: s.previous,
		Peers: s.peers(self), Hosts: s.store.snapshot.Hosts, Proofs: s.proofs, Checksums: s.wrong, Firewall: s.opts.Firewall,
	}
}

// shared returns the preshared keys of the network's configs, present and former.
func shared(in plan.Input) (out []netconf.PSK) {
	for _, b := range append([]plan.Former{{Backend: in.Net.Backend}}, in.Former...) {
		if b.Backend.WireGuard.PSK != (netconf.PSK{}) {
			out = append(out, b.Backend.WireGuard.PSK)
		}
	}
	return out
}

// carry notes what subnet.env is to say once the kernel carries the present
// generation.
func (t *step) carry(in plan.Input) {
	s := t.state
	env := subnetenv.Env{
		Networks: in.Net.Prefixes(), Subnets: in.Self.Subnets,
		MTU: plan.MTU(in.Net, in.Host), IPMasq: s.opts.Firewall.Masquerade,
	}
	if newest, ok := s.env.newest(); !ok || !equal(newest, env) {
		s.env = s.env.add(max(s.generation, s.receiving), env)
	}
}

// arrive writes subnet.env of the generation by which this host can be
// reached, and forgets what was served before once nothing of it is left.
func (t *step) arrive() {
	s := t.state
	env, rest, ok := s.env.at(s.pass.Received)
	s.env = rest
	if ok && s.pass.Received >= s.receiving && s.vouchesFor(env.Subnets) && (s.wrote == nil || !equal(*s.wrote, env)) {
		s.wrote = &env
		t.out.Env = &env
	}
	if s.pass.Converged == s.generation && s.desired != nil && s.heard && !s.keepStale {
		s.serves = Ownership{}.With(s.networks(), s.desired)
	}
}

// vouchesFor reports whether subnets are those of this host's present lease, as
// far as can be known. What a starting agent remembers is its lease if the store
// has it, or as long as the store is away: a host that was set up anew may have
// been given another one, and containers keep the address that they start with.
func (s *State) vouchesFor(subnets []netip.Prefix) bool {
	if s.self == nil || !slices.Equal(subnets, s.self.Subnets) {
		return false
	}
	if s.held || s.away {
		return true
	}
	stored, found := s.store.snapshot.Leases.Find(*s.self)
	return s.heard && found && slices.Equal(stored.Public, s.self.Public)
}

// sameInput reports whether two inputs are the same, at a cost that does not
// grow with the peers.
func sameInput(a, b plan.Input) bool {
	if !sorted.Same(a.Peers, b.Peers) || !sorted.Same(a.Proofs, b.Proofs) || !sorted.Same(a.Hosts, b.Hosts) {
		return false
	}
	a.Peers, b.Peers, a.Proofs, b.Proofs = lease.Set{}, lease.Set{}, plan.Proofs{}, plan.Proofs{}
	a.Hosts, b.Hosts = lease.HostSet{}, lease.HostSet{}
	return equal(a, b)
}

// sameState reports whether two desired states are equal.
func sameState(a, b *netstate.State) bool {
	return len(netstate.Diff(a, b)) == 0 && slices.Equal(a.Sysctls.Slice(), b.Sysctls.Slice()) && slices.Equal(a.Offloads.Slice(), b.Offloads.Slice())
}

// sameReceiving reports whether two states have the same devices and addresses
// on them: what a host needs to be reached.
func sameReceiving(a, b *netstate.State) bool {
	return slices.Equal(a.Links.Slice(), b.Links.Slice()) && slices.Equal(a.Addrs.Slice(), b.Addrs.Slice())
}
