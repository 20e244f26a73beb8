package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/subnetenv"
)

// Preview is what an agent would do on this host.
type Preview struct {
	Self     lease.Lease     // the lease the plan stands on
	Chosen   bool            // Self is held by nobody yet: the subnet an agent might take
	Want     *netstate.State // the plan
	Have     *netstate.State // what stands in the kernel
	Problems []plan.Problem
}

// Look computes the plan for this host without an agent and changes nothing:
// neither the store, nor the kernel, nor a file.
func Look(ctx context.Context, o Options) (Preview, error) {
	snap, mem, err := lastKnown(ctx, o)
	if err != nil {
		return Preview{}, err
	}
	if snap.Config == nil {
		return Preview{}, errors.New("the store has no network config yet; write one with 'weft config set'")
	}
	net, err := netconf.Parse(snap.Config)
	if err != nil {
		return Preview{}, err
	}
	facts, err := host.Choose(ctx, o.Source, withAssigned(o.Uplink, snap.Assigned), net.Prefixes())
	if err != nil {
		return Preview{}, err
	}
	p := Preview{}
	if p.Self, p.Chosen, err = ownLease(ctx, o, net, facts, snap, mem); err != nil {
		return Preview{}, err
	}
	in := plan.Input{
		Net: net, Host: facts, Self: p.Self,
		Drains:   stillOwn(mem.drains, snap.Leases.Slice(), facts.Public),
		Past:     stillUsed(slices.Concat(mem.past, pasts(mem.Snapshot.Config), snap.Former), net, snap.Leases.Slice()),
		Firewall: o.Firewall,
	}
	in.Peers = lease.SetOf(others(snap.Leases.Slice(), p.Self, in.Drains, facts.Public)...)
	if p.Want, p.Problems = plan.Build(in); p.Want == nil {
		return Preview{}, fmt.Errorf("no plan can be made: %w", p.Problems[len(p.Problems)-1].Err)
	}
	mem.served(allNetworks(net, in.Past), p.Want)
	p.Have, err = o.Kernel.Observe(ctx, mem.scope(p.Want), netstate.AllKinds)
	return p, err
}

// lastKnown reads the store, or the copy on disk when the store is away.
func lastKnown(ctx context.Context, o Options) (store.Snapshot, memory, error) {
	mem, memErr := recall(o.StateDir)
	if o.Store == nil {
		return mem.Snapshot, mem, memErr
	}
	snap, err := o.Store.Snapshot(ctx)
	if err != nil && mem.Snapshot.Config != nil {
		o.Log.Warn("the store does not answer; going by the copy of its last snapshot", "error", err)
		return mem.Snapshot, mem, nil
	}
	return snap, mem, err
}

// ownLease finds this host's lease in snap, or chooses the subnet that an
// agent might take.
func ownLease(ctx context.Context, o Options, net netconf.Network, facts host.Facts, snap store.Snapshot, mem memory) (lease.Lease, bool, error) {
	owner, err := readIdentity(o.StateDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return lease.Lease{}, false, err
	}
	before, known := known(snap.Leases.Slice(), facts, mem)
	if a := snap.Assigned; a != nil && a.Attrs.Backend != "" {
		before, known = plan.Before{Attrs: a.Attrs}, true
	}
	if !known {
		if before.Have, err = o.Kernel.Observe(ctx, netstate.Scope{Links: plan.LinkNames(net)}, netstate.AllKinds); err != nil {
			return lease.Lease{}, false, err
		}
	}
	attrs, err := plan.Announce(net, facts, owner.ID, before)
	if err != nil {
		return lease.Lease{}, false, err
	}
	if snap.Assigned != nil {
		return assignedLease(net, attrs, *snap.Assigned)
	}
	if mem.Self != nil && slices.ContainsFunc(snap.Leases.Slice(), sameSubnets(*mem.Self)) {
		return lease.Lease{Subnets: mem.Self.Subnets, Attrs: attrs}, false, nil
	}
	env, _ := subnetenv.Read(o.SubnetFile) // none is no fault
	choice, err := lease.Choose(net, snap.Leases.Slice(), nil, lease.Claim{
		Owner: owner, Attrs: attrs, Preferred: env.Subnets, Avoid: facts.Uplink.OnLink,
	}, rand.Uint64())
	if err != nil {
		return lease.Lease{}, false, fmt.Errorf("no lease on this host yet, and none to be had: %w", err)
	}
	l := lease.Lease{Subnets: choice.Lease.Subnets, Attrs: attrs}
	return l, !slices.ContainsFunc(snap.Leases.Slice(), sameSubnets(l)), nil
}

// assignedLease is this host's lease where the store's system assigns subnets.
func assignedLease(net netconf.Network, attrs lease.Attrs, a store.Assignment) (lease.Lease, bool, error) {
	l := lease.Lease{Attrs: attrs}
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
