// Package holder gets this host's lease from a store and holds it, as the steps
// of package intent ask. It decides nothing about what is announced, and
// changes nothing on the host.
package holder

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/logonce"
	"github.com/weft-net/weft/internal/mailbox"
	"github.com/weft-net/weft/internal/store"
)

// Holder gets this host's lease and holds it. Losing it, or not getting one,
// never stops traffic: the holder reports and tries again.
type Holder struct {
	Requests mailbox.Mailbox[intent.LeaseRequest] // the newest is served
	Leases   mailbox.Mailbox[lease.Lease]         // every lease that was got

	store  store.Store
	margin time.Duration
	log    *slog.Logger
	state  func(held bool, err error)
}

// New returns a holder of leases in s, which renews a lease margin before it
// ends, and calls state when it has got or lost one; state must return soon.
func New(s store.Store, margin time.Duration, log *slog.Logger, state func(held bool, err error)) *Holder {
	return &Holder{
		store: s, margin: margin, log: log, state: state,
		Requests: mailbox.New[intent.LeaseRequest](), Leases: mailbox.New[lease.Lease](),
	}
}

// proven is how long a lease must have been held before a loss is not taken
// for one of a row of losses.
const proven = 10 * time.Second

// Run serves requests until ctx ends; the lease then stays.
func (h *Holder) Run(ctx context.Context) error {
	var r intent.LeaseRequest
	select {
	case <-ctx.Done():
		return ctx.Err()
	case r = <-h.Requests:
	}
	for {
		next, err := h.serve(ctx, r)
		if err != nil {
			return err
		}
		r = next
	}
}

// serve keeps a lease for r until another request arrives.
func (h *Holder) serve(ctx context.Context, r intent.LeaseRequest) (next intent.LeaseRequest, err error) {
	stop, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.keep(stop, r)
	}()
	defer func() {
		cancel()
		<-done
	}()
	select {
	case <-ctx.Done():
		return next, ctx.Err()
	case next = <-h.Requests:
		return next, nil
	}
}

// keep acquires and holds until ctx ends. The first try after a loss comes at
// once, further ones after pauses that grow.
func (h *Holder) keep(ctx context.Context, r intent.LeaseRequest) {
	pause := backoff.Backoff{First: 250 * time.Millisecond, Most: 10 * time.Second}
	preferred := r.Preferred
	var fault logonce.Fault
	for ctx.Err() == nil {
		l, err := h.store.Acquire(ctx, r.Net, r.Claim)
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, store.ErrUnreachable) { // which Follow reports
			fault.Report(h.log, slog.LevelError, err, "no lease yet, retrying", "", event.Attr, string(event.Lease))
		}
		if err != nil {
			h.state(false, err)
			_ = pause.Wait(ctx)
			continue
		}
		h.log.Info("lease held", event.Attr, string(event.Lease), "subnet", lease.FormatSubnets(l.Subnets), "public", l.Public, "backend", l.Backend, "reserved", l.Reserved)
		h.state(true, nil)
		h.Leases.Put(l)
		since := time.Now()
		described := h.describe(ctx, l, r.Host)
		err = h.store.Hold(ctx, l, r.Owner, h.margin)
		described()
		if ctx.Err() != nil {
			return
		}
		h.state(false, err)
		h.log.Warn("lease lost; acquiring it again", event.Attr, string(event.Lease), "subnet", lease.FormatSubnets(l.Subnets), "error", err)
		r.Preferred = slices.Concat(l.Subnets, preferred)
		if time.Since(since) >= proven {
			pause.Reset()
		} else {
			_ = pause.Wait(ctx)
		}
	}
}

// describeTries is how often describe tries, over some 20 seconds. Nothing but
// texts depends on it, so a user who may not write there is no fault.
const describeTries = 8

// describe stores in the background what this host says of itself beside l.
// The function that it returns ends that.
func (h *Holder) describe(ctx context.Context, l lease.Lease, about lease.Host) (stop func()) {
	to, ok := h.store.(store.Describer)
	if !ok {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		pause := backoff.UntilBack()
		for range describeTries {
			err := to.Describe(ctx, l, about)
			if err == nil || errors.Is(err, store.ErrLost) || pause.Wait(ctx) != nil {
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}
