package plan

import (
	"net/netip"
	"reflect"
	"slices"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/sorted"
)

// Planner makes plan after plan of one network, and saves work where a few of
// many peers have changed since the last one. It changes when work happens,
// never what the answer is: its Build returns what func Build returns. The
// zero Planner is ready. Leases that it was given must not be changed.
type Planner struct {
	in    Input
	state *netstate.State
	clean bool // state stands for in, and nothing had to be left out of it
}

// Build returns the state that in calls for, as func Build does. Neither
// state nor leases may be changed afterwards.
func (p *Planner) Build(in Input) (*netstate.State, []Problem) {
	s := p.amend(in)
	var problems []Problem
	if s == nil {
		s, problems = Build(in)
	}
	*p = Planner{in: in, state: s, clean: len(problems) == 0 && s != nil}
	return s, problems
}

// mostAmended is the number of changed peers from which on a whole plan is
// cheaper.
const mostAmended = 32

// amend returns the last plan without the rows of peers that went and with
// those of peers that came. Where a peer might be in another's way it returns
// nil: to judge that takes the whole plan.
func (p *Planner) amend(in Input) *netstate.State {
	if !p.clean || len(in.Former) > 0 || !sameButPeers(p.in, in) {
		return nil
	}
	gone, come := changed(p.in.Peers, in.Peers)
	if len(gone)+len(come) > mostAmended || slices.ContainsFunc(come, in.knows) {
		return nil
	}
	minus, ok := share(in, gone)
	plus, alsoOK := share(in, come)
	if !ok || !alsoOK {
		return nil
	}
	s := p.state.Clone()
	for _, o := range minus {
		if in.shared(o.Row) {
			return nil
		}
		s.Drop(o.Row)
	}
	for _, o := range plus {
		if s.Find(o.Row) != nil || overlapsRoute(s.Routes, o.Row) {
			return nil
		}
		s.Put(o.Row)
	}
	return s
}

// sameButPeers reports whether a and b agree in all that concerns every peer.
func sameButPeers(a, b Input) bool {
	a.Peers, b.Peers = lease.Set{}, lease.Set{}
	return reflect.DeepEqual(a, b)
}

// share returns what peers, taken by themselves, add to the plan; false if
// something has to be left out.
func share(in Input, peers []lease.Lease) ([]netstate.Op, bool) {
	in.Peers = lease.Set{}
	base, _ := Build(in)
	in.Peers = lease.SetOf(peers...)
	with, problems := Build(in)
	return netstate.Diff(base, with), len(problems) == 0
}

// changed returns the leases that are only in before and those that are only
// in now. It stops when there are more than mostAmended.
func changed(before, now lease.Set) (gone, come []lease.Lease) {
	for c := range sorted.Diff(before, now) {
		if c.Old != nil && c.New != nil && same(c.Old, c.New) {
			continue
		}
		if c.Old != nil {
			gone = append(gone, *c.Old)
		}
		if c.New != nil {
			come = append(come, *c.New)
		}
		if len(gone)+len(come) > mostAmended {
			break
		}
	}
	return gone, come
}

// same reports whether two leases are one and the same, which takes no look at
// what they refer to: snapshots share the leases that did not change. Equal
// leases that do not share count as changed; that costs work and no more.
func same(a, b *lease.Lease) bool {
	return shares(a.Subnets, b.Subnets) && shares(a.Public, b.Public) && a.Backend == b.Backend &&
		reflect.ValueOf(a.Data).Pointer() == reflect.ValueOf(b.Data).Pointer()
}

func shares[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// knows reports whether one of the peers announces an address of l, but for l.
func (in *Input) knows(l lease.Lease) bool {
	for o := range in.Peers.All() {
		for _, a := range o.Public {
			if slices.Contains(l.Public, a) && !slices.Equal(o.Subnets, l.Subnets) {
				return true
			}
		}
	}
	return false
}

// shared reports whether row, a set's element or an FDB entry, stands for the
// host of one of the peers as well.
func (in *Input) shared(row netstate.Row) bool {
	var addr netip.Addr
	switch r := row.(type) {
	case netstate.Element:
		addr = r.Prefix.Addr()
	case netstate.FDB:
		addr = r.Dst
	default:
		return false
	}
	for l := range in.Peers.All() {
		if slices.Contains(l.Public, addr) && in.Foreign(&l) {
			return true
		}
	}
	return false
}

// overlapsRoute reports whether row is a route that shares addresses with one
// of routes, which are sorted and share none with each other: those beside its
// place tell.
func overlapsRoute(routes netstate.Table[netstate.Route], row netstate.Row) bool {
	r, ok := row.(netstate.Route)
	if !ok {
		return false
	}
	for o := range routes.From(r) {
		if o.Dst.Overlaps(r.Dst) {
			return true
		}
		break
	}
	for o := range routes.Backward(r) {
		return o.Dst.Overlaps(r.Dst)
	}
	return false
}
