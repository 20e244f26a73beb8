package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/hostlock"
	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/peerapi"
	"github.com/weft-net/weft/internal/prober"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/subnetenv"
)

// decide is the one place where events meet: each is one step, and what the
// step asks for is carried out before the next.
func (a *agent) decide(ctx context.Context) error {
	wake, pause := time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	wake.Stop()
	pause.Stop()
	updates := a.updates
	a.step(ctx, intent.UseCopy{}, wake)
	for {
		select {
		case <-ctx.Done():
			a.herald.Stopping()
			return ctx.Err()
		case u := <-updates:
			updates = nil // none is received during the pause
			pause.Reset(updatePause)
			shown := a.board.Store(u.Err)
			away := a.outage.Active()
			a.outage.Report(a.log, slog.LevelWarn, shown, "the store is unreachable, retrying; existing traffic is not affected", "the store answers again", event.Attr, string(event.Store))
			if a.outage.Active() != away {
				a.step(ctx, intent.StoreHealth{Err: u.Err}, wake)
			}
			if u.Snapshot != nil {
				a.step(ctx, intent.StoreChanged{Snapshot: *u.Snapshot}, wake)
			}
			a.herald.Tell()
			a.notify()
		case <-pause.C:
			updates = a.updates
		case <-a.changed:
			a.step(ctx, intent.HostChanged{}, wake)
		case o := <-a.observer.Answers:
			a.step(ctx, o, wake)
		case l := <-a.holder.Leases:
			a.step(ctx, intent.LeaseHeld{Lease: l}, wake)
		case f := <-a.prober.Findings:
			a.step(ctx, intent.PathsProbed(f), wake)
		case done := <-a.passed.done:
			a.step(ctx, done, wake)
		case key := <-a.keys.Made:
			a.step(ctx, intent.KeyMade{Key: key}, wake)
		case <-wake.C:
			a.step(ctx, intent.Tick{}, wake)
		}
	}
}

// updatePause is the least between two steps that the store calls for. The
// first change after a quiet time is taken in at once; of many in a row several
// share a step and a pass, which costs each a fraction.
const updatePause = 20 * time.Millisecond

// step takes an event to the next state. Locks are taken at once, so their
// outcome is a step of its own right away.
func (a *agent) step(ctx context.Context, e intent.Event, wake *time.Timer) {
	for e != nil {
		var out intent.Output
		a.state, out = intent.Step(a.state, e, time.Now())
		e = a.carryOut(ctx, out)
		if out.Wake > 0 {
			wake.Reset(out.Wake)
		}
	}
	v := a.state.View()
	a.board.Step(v)
	a.prober.Updates.Put(prober.Update{Input: v.Input, Desired: v.Desired, Hosts: v.Hosts, Converged: v.Converged > 0})
	a.peers.Updates.Put(peerapi.Update{Input: v.Input, Desired: v.Desired})
	a.herald.Tell()
	a.notify()
}

// carryOut does what a step asks for, in the order of Output's fields, and
// returns the event that comes of it, nil if none does at once.
func (a *agent) carryOut(ctx context.Context, out intent.Output) (next intent.Event) {
	for _, m := range out.Messages {
		level := [...]slog.Level{intent.Info: slog.LevelInfo, intent.Warn: slog.LevelWarn, intent.Error: slog.LevelError}[m.Severity]
		a.log.Log(ctx, level, m.Text, append([]any{event.Attr, string(m.Kind)}, m.Attrs...)...)
	}
	if out.Lock != nil {
		next = intent.LocksTaken{Locks: *out.Lock, Err: a.take(ctx, *out.Lock)}
	}
	if out.Observe != nil {
		a.observer.Queries.Put(*out.Observe)
	}
	if out.Redial {
		a.opts.Store.Redial()
	}
	_, leases := a.state.Snapshot()
	a.memory.Leases(leases)
	if out.Persist != nil {
		a.memory.Write(out.Persist)
	}
	if d := out.Desired; d != nil {
		a.opts.Keys.Share(d.Shared...)
		a.wants.Put(reconcile.Want{
			State: d.State, Scope: d.Scope, Generation: d.Generation, Peers: d.Peers, KeepStale: d.KeepStale,
		})
	}
	if out.Env != nil {
		a.writeSubnetFile(*out.Env)
	}
	if out.Request != nil {
		a.holder.Requests.Put(*out.Request)
	}
	a.keys.Keep(out.KeepKey)
	return next
}

// take keeps other agents of this host off what this one needs.
func (a *agent) take(ctx context.Context, l intent.Locks) error {
	if a.opts.LockDir == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	err := a.locks.Hold(ctx, hostlock.Things{Networks: l.Networks, Devices: l.Devices, Tables: []string{l.Table}})
	if _, held := errors.AsType[*hostlock.HeldError](err); held {
		return err
	}
	if err != nil { // as where the directory is read-only: most hosts have one agent
		a.log.Warn("cannot tell whether another agent of this host uses the same devices, tables or networks; see --lock-dir", "error", err)
	}
	return nil
}

// lockTimeout bounds the wait for agents that look at the host's locks at the
// same moment.
const lockTimeout = 2 * time.Second

// writeSubnetFile tells container runtimes what the kernel now carries.
func (a *agent) writeSubnetFile(env subnetenv.Env) {
	err := subnetenv.Write(a.opts.SubnetFile, env)
	if err != nil {
		err = fmt.Errorf("%s: %w", a.opts.SubnetFile, err)
		a.log.Error("cannot write the subnet file; containers cannot learn their subnet", "error", err)
	}
	a.board.SubnetFile(err)
	a.carried = true
}

// notify says once that this host can be reached: when it holds its lease, or
// goes by the copy of the last snapshot because the store does not answer.
func (a *agent) notify() {
	if a.opts.Notify == nil || !a.carried || a.board.Reachable() != nil || !a.board.Held() && !a.outage.Active() {
		return
	}
	a.opts.Notify()
	a.opts.Notify = nil
}

// followStore hands on snapshots and the news of outages.
func (a *agent) followStore(ctx context.Context) error { return a.opts.Store.Follow(ctx, a.updated) }

// updated is called by the store. The news of an outage does not displace a
// snapshot that has not been received: the store would not send it again.
func (a *agent) updated(u store.Update) {
	select {
	case waits := <-a.updates:
		if u.Snapshot == nil {
			u.Snapshot = waits.Snapshot
		}
	default:
	}
	a.updates.Put(u)
}
