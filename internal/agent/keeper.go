package agent

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

// claim is what the keeper is to get a lease for.
type claim struct {
	net netconf.Network
	lease.Claim
}

// keeper gets this host's lease and holds it. Losing it, or not getting one,
// never stops traffic: the keeper reports and tries again.
type keeper struct {
	store  store.Store
	margin time.Duration
	log    *slog.Logger
	claims latest[claim]
	leases latest[lease.Lease] // every lease that was got
	state  func(holding)       // must return soon
}

// holding is how the keeper gets on.
type holding struct {
	held bool
	err  error // why not, if that is known
}

// Bounds of the pause between two tries.
const (
	firstClaimRetry = 250 * time.Millisecond
	maxClaimRetry   = 5 * time.Second
)

// run serves claims until ctx ends; the lease then stays.
func (k *keeper) run(ctx context.Context) error {
	var c claim
	select {
	case <-ctx.Done():
		return ctx.Err()
	case c = <-k.claims:
	}
	for {
		next, err := k.serve(ctx, c)
		if err != nil {
			return err
		}
		c = next
	}
}

// serve keeps a lease for c until another claim arrives.
func (k *keeper) serve(ctx context.Context, c claim) (next claim, err error) {
	stop, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.keep(stop, c)
	}()
	defer func() {
		cancel()
		<-done
	}()
	select {
	case <-ctx.Done():
		return claim{}, ctx.Err()
	case next = <-k.claims:
		return next, nil
	}
}

// keep acquires and holds until ctx ends.
func (k *keeper) keep(ctx context.Context, c claim) {
	wait := firstClaimRetry
	said := ""
	for ctx.Err() == nil {
		l, err := k.store.Acquire(ctx, c.net, c.Claim)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			k.state(holding{err: err})
			if err.Error() != said {
				said = err.Error()
				k.log.Error("no lease yet; trying on", "error", err)
			}
			if !sleep(ctx, wait) {
				return
			}
			wait = min(2*wait, maxClaimRetry)
			continue
		}
		wait, said = firstClaimRetry, ""
		k.log.Info("lease held", "subnets", lease.FormatSubnets(l.Subnets), "public", l.Public, "backend", l.Backend, "reserved", l.Reserved)
		k.state(holding{held: true})
		k.leases.put(l)
		err = k.store.Hold(ctx, l, c.Owner, k.margin)
		if ctx.Err() != nil {
			return
		}
		k.lost(err, l)
		c.Preferred = append(slices.Clone(l.Subnets), c.Preferred...)
	}
}

func (k *keeper) lost(err error, l lease.Lease) {
	k.state(holding{err: err})
	level := slog.LevelError
	if errors.Is(err, store.ErrLost) {
		level = slog.LevelWarn
	}
	k.log.Log(context.Background(), level, "lease lost; taking it again", "subnets", lease.FormatSubnets(l.Subnets), "error", err)
}

// sleep waits and reports whether ctx still stands.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
