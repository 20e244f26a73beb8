// Package observer finds out the facts of this host that a step of package
// intent asks for. It reads only, and draws no conclusions.
package observer

import (
	"context"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/mailbox"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/reconcile"
)

// Observer answers queries, the newest first and alone: an answer may take a
// while where another firewall has to be read by its program.
type Observer struct {
	Queries mailbox.Mailbox[intent.HostQuery]
	Answers mailbox.Mailbox[intent.HostObserved]

	kernel reconcile.Kernel
	source host.Source
}

// New returns an observer of the host that k and s look at.
func New(k reconcile.Kernel, s host.Source) *Observer {
	return &Observer{
		Queries: mailbox.New[intent.HostQuery](), Answers: mailbox.New[intent.HostObserved](),
		kernel: k, source: s,
	}
}

// Run answers until ctx ends.
func (o *Observer) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case q := <-o.Queries:
			answer := Observe(ctx, o.kernel, o.source, q)
			if ctx.Err() == nil {
				o.Answers.Put(answer)
			}
		}
	}
}

// Observe answers one query. Devices of an earlier run are left out if they
// cannot be read: without them a new address is made.
func Observe(ctx context.Context, k reconcile.Kernel, s host.Source, q intent.HostQuery) intent.HostObserved {
	facts, err := host.Choose(ctx, s, q.Options, q.Networks, q.Current)
	out := intent.HostObserved{Query: q, Facts: facts, Err: err}
	if len(q.Devices) == 0 || err != nil {
		return out
	}
	if found, err := k.Observe(ctx, netstate.Scope{Links: slices.Clone(q.Devices)}, netstate.LinkKind); err == nil {
		out.Devices = found
	}
	return out
}
