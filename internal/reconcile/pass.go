package reconcile

import (
	"context"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/netstate"
)

// Want is what the kernel shall be made equal to.
type Want struct {
	State  *netstate.State // normalized; not changed afterwards
	Scope  netstate.Scope
	Serial int // the caller's number, handed back with the passes that serve this
}

// Pass is one round of looking and changing.
type Pass struct {
	Serial   int  // of the Want it served
	Repair   bool // that had been in place before: what it changed, others had undone
	Start    time.Time
	Took     time.Duration
	Rows     int           // wanted
	Ops      []netstate.Op // carried out
	Failures []Failure
	// Overtaken are routes of others that take packets away from wanted ones
	// and that are not weft's to remove.
	Overtaken []netstate.Route
	Err       error // the kernel could not even be looked at
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

// OK reports whether the kernel now equals what is wanted.
func (p Pass) OK() bool { return p.Err == nil && len(p.Failures) == 0 }

// Once looks at the kernel and makes it equal to want.
func Once(ctx context.Context, k Kernel, want Want) Pass {
	have, err := k.Observe(ctx, want.Scope)
	if err != nil {
		return Pass{Start: time.Now(), Err: err}
	}
	return change(ctx, k, netstate.Observed(have), want.State)
}

// change carries out what leads from have to want: first what others stand
// on, then the others.
func change(ctx context.Context, k Kernel, have netstate.Actual, want *netstate.State) Pass {
	p := Pass{Start: time.Now(), Rows: want.Len(), Overtaken: have.Overtaken(want)}
	ops := netstate.Diff(have.State, want)
	p.Ops = make([]netstate.Op, 0, len(ops))
	first := slices.IndexFunc(ops, func(o netstate.Op) bool { return deviceOf(o.Row) != "" })
	if first < 0 {
		first = len(ops)
	}
	p.apply(ctx, k, ops[:first])
	p.apply(ctx, k, p.holdBack(have.State, ops[first:]))
	p.Took = time.Since(p.Start)
	return p
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
// made: a device of somebody else may have the name, whose rows are not ours
// to write, and no row fits on none at all. One failure, the device's, is
// enough to tell of.
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

// deviceOf names the device that row stands on, "" if it needs none.
func deviceOf(row netstate.Row) string {
	switch r := row.(type) {
	case netstate.Addr:
		return r.Dev
	case netstate.Neigh:
		return r.Dev
	case netstate.FDB:
		return r.Dev
	case netstate.Route:
		return r.Dev
	}
	return ""
}
