package intent

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/subnetenv"
)

// Options is what an agent is told once.
type Options struct {
	Owner        lease.Owner
	Key          netstate.WGKey // this host's public one for WireGuard; zero if it has none
	NextKey      netstate.WGKey // that is to take its place; zero: none
	Version      string         // of the agent, for other hosts' operators
	Uplink       host.Options
	Firewall     firewall.Options
	Grace        time.Duration  // how long a vanished lease is kept; 0 where not the hosts themselves, but the store says who is there
	Assigned     bool           // the store's system assigns subnets: the config's lengths and bounds of them mean nothing
	Preferred    []netip.Prefix // subnets of an earlier run, from subnet.env
	ConfigAdvice string         // how an operator puts a network config in place
}

// State is all that a step goes by and all that it changes. It is a value: a
// step leaves the state that it was given as it is. The planner in it is a
// cache, which changes when work happens and never what the answer is.
type State struct {
	opts    Options
	planner *plan.Planner

	primed bool // there is a snapshot to go by: from the store, or the copy
	heard  bool // the store has been heard since the start
	away   bool // the store does not answer
	held   bool // a lease has been acquired since the start
	store  believed
	config config

	query    *HostQuery // as last asked
	answered HostQuery  // as last answered
	facts    *host.Facts
	devices  *netstate.State // found on the host; nil if unknown
	outdated bool            // the facts may not hold any more
	failures int             // in a row, of finding out the host's facts or taking the locks
	retryAt  time.Time       // zero: no retry is due
	locks    *Locks          // held
	wanted   *Locks          // asked for
	proofs   plan.Proofs     // of the paths to peers, since the start
	wrong    []plan.Checksum // that a self-test has found

	key       netstate.WGKey // this host's public one for WireGuard
	steady    time.Time      // since when the store answers; zero: it does not
	nextKey   netstate.WGKey // to take its place, or not known to the store yet; zero: none
	history   history
	self      *lease.Lease       // held, or held before the restart and still in the store
	last      *lease.Lease       // as last planned with, kept over restarts
	previous  []netconf.Previous // networks of earlier configs in which leases stand
	draining  []netip.Prefix     // subnets that this host had and whose leases stand
	had       []netip.Prefix     // subnets that this host had, the last one first
	requested *LeaseRequest      // without what is preferred
	serves    Ownership

	overwritten Overwritten

	generation uint64
	input      *plan.Input // of desired
	desired    *netstate.State
	keepStale  bool
	problems   []plan.Problem
	receiving  uint64 // the generation in which the way of receiving last changed
	env        timeline[subnetenv.Env]
	wrote      *subnetenv.Env
	pass       PassDone
	persisted  *Persisted

	faults   Faults
	said     said
	bulletin bulletin
}

// Faults are what keeps the plan from being made, nil each when all is well.
type Faults struct{ Config, Locks, Uplink, Announcement, Plan error }

// said is what was logged last, so that it is not logged again.
type said struct{ config, faults, previous string }

// New returns the state of an agent that starts, with what it remembers of
// earlier runs.
func New(o Options, p Persisted) State {
	s := State{
		opts:     o,
		planner:  &plan.Planner{},
		store:    believe(p.Snapshot),
		last:     p.Self,
		previous: slices.Clone(p.Previous),
		draining: p.Draining,
		had:      p.Had,
		history:  p.history,
		serves:   p.Owns,
		wrong:    p.Checksums,
		key:      o.Key,
		nextKey:  o.NextKey,

		overwritten: p.Overwritten.Since(o.Owner.Boot),
	}
	if s.history.uses(o.NextKey) {
		s.key = o.NextKey
	}
	if net, err := netconf.Parse(p.Snapshot.Config); err == nil {
		// The config may have changed meanwhile.
		s.previous = append(s.previous, previousOf(net)...)
	}
	return s
}

// View is what status shows of a state.
type View struct {
	Input      *plan.Input // nil before the first plan
	Desired    *netstate.State
	Generation uint64
	Problems   []plan.Problem
	Revision   int64
	Bad        []Undecodable
	Hosts      lease.HostSet
	Uplink     *host.Facts
	Faults     Faults
	Receiving  uint64 // readiness takes a pass of this generation or a later one
	Converged  uint64 // the newest generation that the kernel was equal to
	Heard      bool
}

// Undecodable is a stored key that cannot be read, or may not.
type Undecodable struct {
	Key  string
	Err  error
	Note bool // no host's lease, as its name shows: no packet is lost for it
}

// View returns what status shows.
func (s *State) View() View {
	v := View{
		Input: s.input, Desired: s.desired, Generation: s.generation, Problems: s.problems,
		Revision: s.store.snapshot.Revision, Hosts: s.store.snapshot.Hosts, Uplink: s.facts, Faults: s.faults,
		Receiving: s.receiving, Converged: s.pass.Converged, Heard: s.heard,
	}
	for _, e := range s.store.snapshot.Bad {
		_, note := errors.AsType[*lease.KeyError](e.Err)
		v.Bad = append(v.Bad, Undecodable{Key: e.Key, Err: e.Err, Note: note})
	}
	for _, e := range s.store.snapshot.Notes {
		v.Bad = append(v.Bad, Undecodable{Key: e.Key, Err: e.Err, Note: true})
	}
	return v
}

// Snapshot returns the config and the leases that the state goes by.
func (s *State) Snapshot() (config []byte, leases lease.Set) {
	return s.config.doc, s.store.leases
}

// timeline is a value that changes with the generations.
type timeline[T any] []dated[T]

type dated[T any] struct {
	since uint64
	value T
}

// add notes that v holds from generation g on.
func (t timeline[T]) add(g uint64, v T) timeline[T] { return append(slices.Clip(t), dated[T]{g, v}) }

// at returns the value as of generation g, and the timeline without what is
// older. ok is false if there was none yet.
func (t timeline[T]) at(g uint64) (v T, rest timeline[T], ok bool) {
	for len(t) > 1 && t[1].since <= g {
		t = t[1:]
	}
	if len(t) == 0 || t[0].since > g {
		return v, t, false
	}
	return t[0].value, t, true
}

// newest returns the last value.
func (t timeline[T]) newest() (v T, ok bool) {
	if len(t) == 0 {
		return v, false
	}
	return t[len(t)-1].value, true
}
