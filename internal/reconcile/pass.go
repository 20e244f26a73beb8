package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/netstate"
)

// Want is what the kernel should be made equal to.
type Want struct {
	State      *netstate.State // not changed afterwards
	Scope      netstate.Scope
	Generation uint64 // the caller's number of State, handed back with the passes that serve it
	Peers      int    // leases of hosts that State goes by: many of these and few routes is a mistake of ours
	KeepStale  bool   // State goes by a copy that may be old: what stands of peers is neither removed nor changed
}

// Pass is one round of observing and changing.
type Pass struct {
	Generation uint64
	Repair     bool // the state had been in place before: what was changed, others had undone
	Start      time.Time
	Took       time.Duration
	Rows       int           // desired objects
	Ops        []netstate.Op // carried out
	Failures   []Failure
	Contested  []Contest // objects that others change again and again: their repair is put off
	// Overtaken are routes of others that take packets away from desired ones
	// and that are not weft's to remove.
	Overtaken []netstate.Route
	Held      error // the changes were too suspicious to be made
	Err       error // the kernel could not even be observed
}

// Failure is a change that did not work. What Err says names it.
type Failure struct {
	Op  netstate.Op
	Err error
}

// Error returns what was attempted and what the kernel said to it.
func (f Failure) Error() string { return f.Err.Error() }

// Unwrap returns Err.
func (f Failure) Unwrap() error { return f.Err }

// Contest is an object that another program changes as often as it is
// repaired.
type Contest struct {
	Row   netstate.Row   // the desired object, or one that should not be there
	Stale bool           // it should not be there
	By    netstate.Event // how it was changed last; empty if the kernel did not tell
}

// Error names the object and the process on the other side.
func (c Contest) Error() string {
	by := "another program"
	switch {
	case c.By.By != "":
		by = c.By.By
	case c.By.PID != 0:
		by = fmt.Sprint("process ", c.By.PID)
	}
	return fmt.Sprintf("%s is changed again and again by %s; repairing it less often; have that program leave it alone", c.Row, by)
}

// Converged reports whether the kernel now equals the desired state; beside
// what stands of peers if KeepStale was set.
func (p Pass) Converged() bool {
	return p.Err == nil && p.Held == nil && len(p.Failures) == 0 && len(p.Contested) == 0
}

// Receives reports whether this host can be reached as the desired state has
// it: its devices with their addresses stand, and what guards them. An object
// for sending to a peer that fails keeps nobody from reaching this host.
func (p Pass) Receives() bool {
	return p.Err == nil && p.Held == nil &&
		!slices.ContainsFunc(p.Failures, func(f Failure) bool { return f.Op.Verb != netstate.Remove && receiving(f.Op.Row) }) &&
		!slices.ContainsFunc(p.Contested, func(c Contest) bool { return !c.Stale && receiving(c.Row) })
}

// receiving reports whether this host is reached by way of row. The firewall's
// own tables are one transaction.
func receiving(row netstate.Row) bool {
	switch row.(type) {
	case netstate.Link, netstate.Addr, netstate.NFTable, netstate.Chain, netstate.Set, netstate.Rule:
		return true
	}
	return false
}

// Fault is what keeps the kernel from the desired state, but for Contested; nil
// for nothing.
func (p Pass) Fault() error {
	switch n := len(p.Failures); {
	case p.Err != nil:
		return p.Err
	case p.Held != nil:
		return p.Held
	case n == 1:
		return p.Failures[0]
	case n > 1:
		return fmt.Errorf("%d objects are not in place, the first: %w", n, p.Failures[0])
	}
	return nil
}

// Once observes the kernel and makes it equal to want, whatever that removes.
func Once(ctx context.Context, k Kernel, want Want) Pass {
	have, err := k.Observe(ctx, want.Scope, netstate.AllKinds)
	if err != nil {
		return Pass{Start: time.Now(), Err: err}
	}
	p := Pass{Start: time.Now(), Rows: want.State.Len()}
	p.change(ctx, k, have, netstate.Diff(have, want.State))
	p.Took = time.Since(p.Start)
	return p
}

// change carries out ops: first those that others stand on, then the others.
func (p *Pass) change(ctx context.Context, k Kernel, have *netstate.State, ops []netstate.Op) {
	p.Ops = make([]netstate.Op, 0, len(ops))
	first := slices.IndexFunc(ops, func(o netstate.Op) bool { return deviceOf(o.Row) != "" })
	if first < 0 {
		first = len(ops)
	}
	p.apply(ctx, k, ops[:first])
	p.apply(ctx, k, p.holdBack(have, ops[first:]))
}

func (p *Pass) apply(ctx context.Context, k Kernel, ops []netstate.Op) {
	if len(ops) == 0 {
		return
	}
	for i, err := range k.Apply(ctx, ops) {
		if err != nil {
			p.Failures = append(p.Failures, Failure{Op: ops[i], Err: err})
			continue
		}
		p.Ops = append(p.Ops, ops[i])
	}
}

// holdBack returns ops without what belongs on devices that could not be
// made: a device of somebody else may have the name, whose objects are not
// ours to write, and nothing fits on none at all. One failure, the device's,
// is enough to tell of.
func (p *Pass) holdBack(have *netstate.State, ops []netstate.Op) []netstate.Op {
	missing := map[string]bool{}
	for _, f := range p.Failures {
		l, ok := f.Op.Row.(netstate.Link)
		stands, there := have.Links.Find(l)
		if ok && f.Op.Verb != netstate.Remove && (!there || stands.Foreign()) {
			missing[l.Name] = true
		}
	}
	if len(missing) == 0 {
		return ops
	}
	return slices.DeleteFunc(slices.Clone(ops), func(o netstate.Op) bool {
		return o.Verb != netstate.Remove && missing[deviceOf(o.Row)]
	})
}

// deviceOf names the device that row stands on or belongs to, "" if it needs none.
func deviceOf(row netstate.Row) string {
	switch r := row.(type) {
	case netstate.Offload:
		return r.Dev
	case netstate.Addr:
		return r.Dev
	case netstate.Neigh:
		return r.Dev
	case netstate.FDB:
		return r.Dev
	case netstate.Peer:
		return r.Dev
	case netstate.Allowed:
		return r.Dev
	case netstate.Route:
		return r.Dev
	case netstate.Sysctl:
		return r.Dev()
	}
	return ""
}
