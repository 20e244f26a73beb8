package agent

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/store"
)

// steerer is the one place where the inputs meet: snapshots, facts and the
// own lease come in, a claim for the keeper and a state for the loop go out.
// All its fields belong to the goroutine of run, but for the mailboxes and
// complained.
type steerer struct {
	opts  Options
	owner lease.Owner
	board *board
	log   *slog.Logger

	snapshots latest[store.Snapshot]
	outage    latest[error]
	facts     latest[struct{}]
	wants     latest[reconcile.Want]
	passes    latest[reconcile.Pass]
	keeper    *keeper
	loop      *reconcile.Loop
	diary     *diary

	planner    plan.Planner
	memory     memory
	fresh      lease.Set // of the newest snapshot
	vanished   vanished
	primed     bool   // a whole snapshot is known, from the store or from memory
	lostConfig bool   // the store has none
	config     []byte // as last seen, good or not
	doc        []byte // the config in force
	net        *netconf.Network
	host       *host.Facts
	stale      bool // host may not hold any more
	dirty      bool // an input of the plan has changed
	ways       ways
	former     []plan.Former   // of ways, by now
	noted      way             // the present way as it is known to be on disk
	serial     int             // of the last plan
	ready      int             // serial of the last plan by which this host can be reached as planned
	claims     claims          // of things on this host
	claimed    *claim          // of a lease, without Preferred
	self       *lease.Lease    // with what is announced, or about to be
	routed     string          // former networks, as last said
	complained map[string]bool // by the loop goroutine: of the last pass

	unconfigured, unplanned nag
}

// factsRetry is the pause before the host is looked at again while it has no
// usable uplink; changes that the kernel reports come sooner.
const factsRetry = 2 * time.Second

func (s *steerer) run(ctx context.Context) error {
	retry := time.NewTimer(time.Hour)
	retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case snap := <-s.snapshots:
			s.lostConfig = snap.Config == nil
			snap = salvage(s.memory.Snapshot, snap)
			s.fresh, snap.Leases = snap.Leases, s.memory.Snapshot.Leases
			s.stale = s.stale || !sameUplink(snap.Assigned, s.memory.Snapshot.Assigned)
			s.memory.Snapshot, s.primed, s.dirty = snap, true, true
			s.board.strangers(snap.Bad)
		case <-s.outage:
			s.resort()
		case l := <-s.keeper.leases:
			s.moved(l)
		case p := <-s.passes:
			s.arrived(p)
		case <-s.facts:
			s.stale = true
		case <-retry.C:
		}
		if !s.primed {
			continue
		}
		again, err := s.steer(ctx)
		s.unplanned.say(s.log, "not planned", err)
		if err != nil {
			again = factsRetry
		}
		if again > 0 {
			retry.Reset(again)
		}
	}
}

// resort falls back to the copy of the last snapshot when the store cannot be
// reached at the start.
func (s *steerer) resort() {
	if s.primed || s.memory.Snapshot.Config == nil {
		return
	}
	s.log.Warn("the store does not answer; going by the copy of its last snapshot", "revision", s.memory.Snapshot.Revision)
	s.fresh, s.primed, s.dirty = s.memory.Snapshot.Leases, true, true
	s.self = s.memory.Self
}

// steer brings plan and claim up to the inputs, in this order: a host
// announces only what it can already receive. It returns after what time to
// look again, 0 for not by itself. An error is worth another try.
func (s *steerer) steer(ctx context.Context) (time.Duration, error) {
	s.configure()
	vanishes := s.remember()
	if s.net == nil {
		return 0, nil
	}
	s.drain()
	if err := s.own(); err != nil {
		return 0, err
	}
	if err := s.look(ctx); err != nil {
		s.board.facts(nil, err)
		return 0, err
	}
	attrs, err := plan.Announce(*s.net, *s.host, s.owner.ID, s.before(ctx))
	s.board.announce(err)
	if err != nil {
		return 0, err
	}
	s.resume()
	again := sooner(vanishes, s.turnTo(attrs))
	if s.self != nil && s.dirty {
		s.plan(attrs)
		s.dirty = false
	}
	if s.self == nil || s.ready == s.serial {
		s.claim(attrs)
	}
	return again, nil
}

// sooner returns the shorter of two times to wait, of which 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// own claims on this host what the network needs.
func (s *steerer) own() error {
	names := append(plan.LinkNames(*s.net), "table inet "+firewall.TableName(*s.net, s.opts.Firewall))
	for _, n := range s.net.Prefixes() {
		names = append(names, "network "+n.String())
	}
	err := s.claims.take(names)
	s.board.fault("claim", err)
	if err == nil && len(s.ways) == 1 && len(s.memory.past) == 0 { // else something of before may still stand
		s.claims.release(names)
	}
	return err
}

// resume goes by the lease of before a restart if it still stands in the
// store, so that the host is ready to receive before it announces anything.
func (s *steerer) resume() {
	old := s.memory.Self
	if s.self != nil || old == nil {
		return
	}
	l, ok := s.memory.Snapshot.Leases.Find(*old)
	if !ok || !slices.Equal(l.Public, old.Public) {
		return
	}
	s.self, s.dirty = &l, true
}

// turnTo makes attrs the present way of being reached, and returns after what
// time a former one may be given up.
func (s *steerer) turnTo(attrs lease.Attrs) time.Duration {
	now, wait := time.Now(), time.Duration(0)
	s.ways = s.ways.take(way{doc: s.doc, backend: s.net.Backend, attrs: attrs}, now)
	s.ways, wait = s.ways.prune(s.memory.Snapshot.Leases.Slice(), now)
	former := s.ways.former(now)
	s.dirty = s.dirty || !reflect.DeepEqual(former, s.former)
	s.former = former
	return wait
}

// arrived takes note that the kernel was brought up to a plan, as far as
// receiving goes: a peer's row that fails keeps nobody from reaching this host.
func (s *steerer) arrived(p reconcile.Pass) {
	receives := p.Err == nil && !slices.ContainsFunc(p.Failures, func(f reconcile.Failure) bool {
		switch f.Op.Row.(type) {
		case netstate.Link, netstate.Addr:
			return true
		}
		return false
	})
	if receives {
		s.ready = int(p.Generation)
	}
	if p.Converged() && int(p.Generation) == s.serial {
		s.memory.swept(s.networks(), s.board.Plan())
	}
}

// plan hands the state that the inputs call for to the loop.
func (s *steerer) plan(attrs lease.Attrs) {
	self := *s.self
	self.Attrs = attrs
	in := plan.Input{
		Net: *s.net, Host: *s.host, Self: self,
		Former: s.former, Drains: s.memory.drains, Past: s.memory.past,
		Peers:    lease.SetOf(others(s.memory.Snapshot.Leases.Slice(), self, s.memory.drains, slices.Concat(self.Public, s.self.Public))...),
		Firewall: s.opts.Firewall,
	}
	want, problems := s.planner.Update(in)
	if want == nil {
		s.log.Error("no plan can be made; the last one stays in force", "error", problems[len(problems)-1].Err)
		return
	}
	s.memory.served(s.networks(), want)
	s.serial++
	// The board first: once the kernel is as wanted, the subnet file is written from it.
	s.board.plan(in, want, problems, s.memory.Snapshot.Revision)
	s.wants.put(reconcile.Want{State: want, Scope: s.memory.scope(want), Generation: uint64(s.serial), Peers: in.Peers.Len()})
	s.memory.Self = &self
	s.diary.pages.put(s.page())
}

// page is the memory as it is to be written down now.
func (s *steerer) page() memory {
	s.memory.page++
	s.memory.ways = s.ways
	return s.memory
}

func sameSubnets(l lease.Lease) func(lease.Lease) bool {
	return func(o lease.Lease) bool { return slices.Equal(l.Subnets, o.Subnets) }
}
