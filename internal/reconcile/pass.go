package reconcile

import (
	"context"
	"fmt"
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
	Serial   int // of the Want it served
	Start    time.Time
	Took     time.Duration
	Rows     int           // wanted
	Ops      []netstate.Op // carried out
	Failures []Failure
	Err      error // the kernel could not even be looked at
}

// Failure is a change that did not work.
type Failure struct {
	Op  netstate.Op
	Err error
}

// Error names the change and what the kernel said.
func (f Failure) Error() string { return fmt.Sprintf("%s: %v", f.Op, f.Err) }

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
	return change(ctx, k, have, want.State)
}

// change carries out what leads from have to want.
func change(ctx context.Context, k Kernel, have, want *netstate.State) Pass {
	p := Pass{Start: time.Now(), Rows: want.Len()}
	ops := netstate.Diff(have, want)
	if len(ops) == 0 {
		return p
	}
	p.Ops = make([]netstate.Op, 0, len(ops))
	for i, err := range k.Apply(ctx, ops) {
		if err != nil {
			p.Failures = append(p.Failures, Failure{Op: ops[i], Err: err})
			continue
		}
		p.Ops = append(p.Ops, ops[i])
	}
	p.Took = time.Since(p.Start)
	return p
}
