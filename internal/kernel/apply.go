package kernel

import (
	"context"
	"fmt"
	"reflect"

	"github.com/weft-net/weft/internal/kernel/nft"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// Apply implements reconcile.Kernel. Consecutive ops on objects of one kind go to
// the kernel together. What another program has to do comes last: the rest
// does not wait for it. Nexthop objects of ours that no route needs go, also
// those that a predecessor left behind.
func (k *Kernel) Apply(ctx context.Context, ops []netstate.Op) []error {
	errs := make([]error, len(ops))
	slow := k.applyQuick(ctx, ops, errs)
	if len(slow) == 0 {
		return errs
	}
	rest := make([]netstate.Op, len(slow))
	for n, i := range slow {
		rest[n] = ops[i]
	}
	for n, err := range k.legacy.apply(ctx, rest) {
		errs[slow[n]] = refused(rest[n], err)
	}
	return errs
}

// applyQuick carries out all ops but those that it returns the numbers of.
func (k *Kernel) applyQuick(ctx context.Context, ops []netstate.Op, errs []error) (slow []int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a := applier{Kernel: k, devs: newDevices(k.conn), view: k.view.Load()}
	for lo := 0; lo < len(ops); {
		if isLegacy(ops[lo].Row) {
			slow = append(slow, lo)
			lo++
			continue
		}
		hi := sameKind(ops, lo)
		if err := ctx.Err(); err != nil {
			for i := lo; i < len(ops); i++ {
				errs[i] = fmt.Errorf("%s: %w", attempt(ops[i]), err)
			}
			break
		}
		a.run(ops[lo:hi], errs[lo:hi])
		lo = hi
	}
	if err := k.hops.sweep(k.conn); err != nil {
		k.log.Warn("a nexthop object without routes stays", "error", err)
	}
	return slow
}

// sameKind returns the end of the run of ops of one kind that begins at lo.
// All that nftables keeps is one kind: it is one transaction. So are the peers of
// WireGuard devices with what they are allowed.
func sameKind(ops []netstate.Op, lo int) int {
	kind := reflect.TypeOf(ops[lo].Row)
	nftables, peers := nft.Handles(ops[lo].Row), isPeer(ops[lo].Row)
	hi := lo + 1
	for hi < len(ops) && !isLegacy(ops[hi].Row) && nft.Handles(ops[hi].Row) == nftables &&
		(nftables || peers && isPeer(ops[hi].Row) || reflect.TypeOf(ops[hi].Row) == kind) {
		hi++
	}
	return hi
}

// applier is one call of Apply.
type applier struct {
	*Kernel
	devs  *devices
	view  *view
	batch rtnl.Batch
}

// run carries out ops, all of one kind, and puts their errors into errs.
func (a *applier) run(ops []netstate.Op, errs []error) {
	if nft.Handles(ops[0].Row) {
		for i, err := range a.nft.Apply(ops) {
			errs[i] = refused(ops[i], err)
		}
		return
	}
	switch ops[0].Row.(type) {
	case netstate.Sysctl:
		for i, op := range ops {
			errs[i] = refused(op, a.sysctl(op))
		}
	case netstate.Offload:
		for i, op := range ops {
			errs[i] = refused(op, a.offload(op))
		}
	case netstate.Link:
		for i, op := range ops {
			errs[i] = refused(op, a.link(op))
		}
	case netstate.Peer, netstate.Allowed:
		a.peers(ops, errs)
	case netstate.Route:
		a.routes(ops, errs)
	case netstate.FastPath, netstate.FastRemote, netstate.FastPod, netstate.FastBridge, netstate.FastHook:
		for i, err := range a.fast.Apply(ops) {
			errs[i] = refused(ops[i], err)
		}
	default:
		a.simple(ops, errs)
	}
}

func (a *applier) sysctl(op netstate.Op) error {
	if op.Verb == netstate.Remove {
		return nil // the agent remembers which value was there before, and wants that
	}
	want := op.Row.(netstate.Sysctl)
	path, err := a.devs.parameter(want.Name)
	if err != nil {
		return err
	}
	have, _ := op.Have.(netstate.Sysctl) // without a name: nobody knows
	return a.ns.do(func() error { return setSysctl(want, have, path) })
}

// simple carries out ops whose rows are one message each.
func (a *applier) simple(ops []netstate.Op, errs []error) {
	a.batch.Reset()
	sent := make([]int, 0, len(ops)) // the op of each message
	for i, op := range ops {
		err := a.encode(op)
		if err != nil {
			errs[i] = refused(op, err)
			continue
		}
		sent = append(sent, i)
	}
	for _, f := range a.conn.Exec(&a.batch) {
		i := sent[f.Message]
		errs[i] = refused(ops[i], f.Err)
	}
}

// encode puts op's message.
func (a *applier) encode(op netstate.Op) error {
	remove := op.Verb == netstate.Remove
	switch r := op.Row.(type) {
	case netstate.Addr:
		index, err := a.devs.index(r.Dev)
		if err == nil {
			encodeAddr(&a.batch, r, index, remove)
		}
		return err
	case netstate.Neigh:
		index, err := a.devs.index(r.Dev)
		if err == nil {
			encodeNeigh(&a.batch, r, index, remove)
		}
		return err
	case netstate.FDB:
		index, err := a.devs.index(r.Dev)
		if err == nil {
			encodeFDB(&a.batch, r, index, remove)
		}
		return err
	}
	return fmt.Errorf("objects of type %T cannot be written to the kernel", op.Row)
}
