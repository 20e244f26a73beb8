package plan

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/sorted"
)

// Planner makes plan after plan of one network at the cost of what has changed
// in between: one peer's change costs one peer's work, however many there are.
// What it remembers is a cache that decides when work happens, never what the
// answer is: Update returns what Build returns. The zero Planner is ready. It
// is for one goroutine, and leases that it was given must not be changed.
type Planner struct {
	in       Input
	basis    *basis // nil: there is no plan to go on from
	state    *netstate.State
	problems []Problem

	draft    *draft // the last whole plan, until it has been indexed
	faults   sorted.Set[fault]
	lines    sorted.Set[line] // what problems are made of
	families map[netconf.Family]*index
	keys     sorted.Set[keyEnd]
}

// Update returns what Build returns for in. Neither state nor problems may be
// changed afterwards.
func (p *Planner) Update(in Input) (*netstate.State, []Problem) {
	if changes, ok := p.changes(in); !ok {
		p.rebuild(in)
	} else if p.basis.in.Proofs, p.basis.in.Hosts = in.Proofs, in.Hosts; len(changes) > 0 {
		p.apply(changes)
	}
	if pods := in.Host.FastPath.Pods; p.basis != nil && !slices.Equal(p.basis.in.Host.FastPath.Pods, pods) {
		p.basis.in.Host.FastPath.Pods = pods
		p.state = p.basis.withPods(p.state, pods)
	}
	p.in = in
	return p.state, p.problems
}

// rebuild plans everything. The indexes are made when they are first needed.
func (p *Planner) rebuild(in Input) {
	d := draw(in)
	*p = Planner{state: d.state, problems: d.allProblems()}
	if d.state != nil {
		p.basis, p.draft = d.basis, d
	}
}

// change is a lease as it was and as it is; nil where there was or is none.
type change struct{ old, new *lease.Lease }

// changes returns in what the peers of in differ from those of the last plan;
// false if everything is better planned anew.
func (p *Planner) changes(in Input) ([]change, bool) {
	if p.basis == nil || !sameButPeers(p.in, in) {
		return nil, false
	}
	var out []change
	for c := range sorted.Diff(p.in.Peers, in.Peers) {
		if c.Old != nil && c.New != nil && same(c.Old, c.New) {
			continue
		}
		out = append(out, change{c.Old, c.New})
	}
	out = append(out, p.proven(in, out)...)
	out = append(out, p.introduced(in, out)...)
	// One peer in the whole plan costs about a tenth of what its change costs.
	return out, len(out) <= 100 || 10*len(out) < in.Peers.Len()
}

// proven returns the peers of in, beside those that are changed, of whose paths
// probes have shown something new.
func (p *Planner) proven(in Input, changed []change) (out []change) {
	known := func(l *lease.Lease) bool {
		for _, c := range slices.Backward(changed) { // there are few, of both
			if c.new != nil && c.new.Compare(*l) == 0 {
				return true
			}
		}
		return len(out) > 0 && out[len(out)-1].new.Compare(*l) == 0
	}
	for c := range sorted.Diff(p.in.Proofs, in.Proofs) {
		if c.Old != nil && c.New != nil && c.Old.Same(*c.New) {
			continue
		}
		proof := cmp.Or(c.Old, c.New)
		if l, ok := in.Peers.Find(lease.At(proof.Subnets)); ok && !known(&l) {
			out = append(out, change{&l, &l})
		}
	}
	return out
}

// introduced returns the peers of in, beside those that are changed, whose hosts say
// that they have another key.
func (p *Planner) introduced(in Input, changed []change) (out []change) {
	if _, encrypts := in.encryption(); !encrypts {
		return nil
	}
	for c := range sorted.Diff(p.in.Hosts, in.Hosts) {
		if c.Old != nil && c.New != nil && c.Old.WireGuard == c.New.WireGuard {
			continue
		}
		subnets, err := lease.ParseKey(cmp.Or(c.Old, c.New).Lease)
		l, ok := in.Peers.Find(lease.At(subnets))
		known := slices.ContainsFunc(changed, func(c change) bool { return c.new != nil && c.new.Compare(l) == 0 })
		if err == nil && ok && !known {
			out = append(out, change{&l, &l})
		}
	}
	return out
}

// sameButPeers reports whether a and b agree in all but their peers and the paths
// to them. Parts that they share are not looked at.
func sameButPeers(a, b Input) bool {
	a.Peers, b.Peers, a.Proofs, b.Proofs = lease.Set{}, lease.Set{}, Proofs{}, Proofs{}
	a.Hosts, b.Hosts = lease.HostSet{}, lease.HostSet{}
	a.Self.TTL, b.Self.TTL = 0, 0
	a.Host.FastPath.Pods, b.Host.FastPath.Pods = nil, nil
	return reflect.DeepEqual(a, b)
}

// same reports whether two leases of the same subnets call for the same.
func same(a, b *lease.Lease) bool { return a.Reserved == b.Reserved && a.Attrs.Equal(b.Attrs) }

// apply carries changes over into the plan.
func (p *Planner) apply(changes []change) {
	if p.draft != nil {
		p.index()
	}
	for i, c := range changes {
		if c.new != nil { // without holding on to the block of the set that it stands in
			kept := *c.new
			changes[i].new = &kept
		}
	}
	e := edit(p.state, p.faults, p.lines)
	all := map[netconf.Family]*amendment{}
	for _, r := range p.basis.in.Net.Ranges {
		f := r.Family()
		all[f] = &amendment{basis: p.basis, family: f, index: p.families[f], edits: e}
		all[f].admit(changes)
	}
	p.keys = rekey(p.keys, all)
	for _, u := range all {
		u.keys = p.keys
		u.apply()
	}
	before := p.lines
	p.state, p.faults, p.lines = e.result()
	if !sorted.Same(before, p.lines) {
		p.problems = report(p.lines)
	}
}
