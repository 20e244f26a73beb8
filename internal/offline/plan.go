package offline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/weft-net/weft/internal/agent"
	"github.com/weft-net/weft/internal/identity"
	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/observer"
	"github.com/weft-net/weft/internal/persister"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/store"
)

// Preview is what an agent would do on this host.
type Preview struct {
	Self     lease.Lease     // the lease the plan goes by
	Chosen   bool            // Self is held by nobody yet: the subnet an agent might get
	Want     *netstate.State // the plan
	Have     *netstate.State // what is in the kernel
	Problems []plan.Problem
	View     intent.View // what an agent's status would go by
}

// Plan computes the plan for this host.
func Plan(ctx context.Context, o agent.Options) (Preview, error) {
	first, persisted, err := lastKnown(ctx, o)
	if err != nil {
		return Preview{}, err
	}
	owner, err := identity.Read(o.StateDir, o.Hostname)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Preview{}, err
	}
	r := rehearsal{opts: o, state: intent.New(o.IntentOptions(owner), persisted)}
	if err := r.play(ctx, first); err != nil {
		return Preview{}, err
	}
	v := r.state.View()
	if v.Input == nil {
		return Preview{}, whyNot(v)
	}
	p := Preview{Self: v.Input.Self, Chosen: r.chosen, Want: v.Desired, Problems: v.Problems, View: v}
	p.Have, err = o.Kernel.Observe(ctx, r.scope, netstate.AllKinds)
	return p, err
}

// lastKnown reads the store, or the copy on disk when the store is away.
func lastKnown(ctx context.Context, o agent.Options) (intent.Event, intent.Persisted, error) {
	_, persisted := persister.Open(o.StateFile(), o.Log)
	if o.Store == nil {
		return intent.UseCopy{}, persisted, nil
	}
	snap, err := o.Store.Snapshot(ctx)
	if err != nil && persisted.Snapshot.Config != nil {
		o.Log.Warn("the store does not answer; using the copy of its last snapshot", "error", err)
		return intent.UseCopy{}, persisted, nil
	}
	return intent.StoreChanged{Snapshot: snap}, persisted, err
}

func whyNot(v intent.View) error {
	for _, err := range []error{v.Faults.Config, v.Faults.Uplink, v.Faults.Announcement, v.Faults.Plan} {
		if err != nil {
			return err
		}
	}
	return errors.New("the store has no network config yet; write one with 'weft config set'")
}

// rehearsal plays an agent's part without carrying anything out.
type rehearsal struct {
	opts   agent.Options
	state  intent.State
	snap   store.Snapshot
	scope  netstate.Scope
	chosen bool
}

// play takes an event, and what comes of it, to the end.
func (r *rehearsal) play(ctx context.Context, e intent.Event) error {
	if changed, ok := e.(intent.StoreChanged); ok {
		r.snap = changed.Snapshot
	}
	for e != nil {
		var out intent.Output
		r.state, out = intent.Step(r.state, e, time.Now())
		if out.Desired != nil {
			r.scope = out.Desired.Scope
		}
		var err error
		if e, err = r.answer(ctx, out); err != nil {
			return err
		}
	}
	return nil
}

// answer is what an agent's surroundings would say to out.
func (r *rehearsal) answer(ctx context.Context, out intent.Output) (intent.Event, error) {
	switch {
	case out.Lock != nil:
		return intent.LocksTaken{Locks: *out.Lock}, nil
	case out.Observe != nil:
		return observer.Observe(ctx, r.opts.Kernel, r.opts.Source, *out.Observe), nil
	case out.Request != nil && r.state.View().Input == nil:
		l, err := r.lease(*out.Request)
		return intent.LeaseHeld{Lease: l}, err
	}
	return nil, nil
}

// lease finds this host's lease in the snapshot, or chooses the subnet that an
// agent might get.
func (r *rehearsal) lease(q intent.LeaseRequest) (lease.Lease, error) {
	if r.snap.Assigned != nil {
		l, chosen, err := assignedLease(q.Net, q.Attrs, *r.snap.Assigned)
		r.chosen = chosen
		return l, err
	}
	choice, err := lease.Choose(q.Net, r.snap.Leases.Slice(), nil, q.Claim, rand.Uint64())
	if err != nil {
		return lease.Lease{}, fmt.Errorf("this host has no lease yet, and cannot get one: %w", err)
	}
	l := lease.Lease{Subnets: choice.Lease.Subnets, Attrs: q.Attrs}
	r.chosen = !r.snap.Leases.Has(l)
	return l, nil
}

// assignedLease is this host's lease where the store's system assigns subnets.
func assignedLease(net netconf.Network, attrs lease.Attrs, a store.Assignment) (l lease.Lease, chosen bool, err error) {
	l = lease.Lease{Attrs: attrs}
	for _, p := range a.Subnets {
		if _, ok := net.Range(netconf.FamilyOf(p.Addr())); ok {
			l.Subnets = append(l.Subnets, p)
		}
	}
	if len(l.Subnets) == 0 {
		return l, false, errors.New("no subnet of the network is assigned to this host yet, or it is not known which host this is")
	}
	return l, a.Attrs.Backend == "", nil
}
