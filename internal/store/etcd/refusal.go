package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store/session"
)

// refusals remembers the last claim that was refused because of another host.
// The same claim is not tried again before a pause is over, which grows each
// time, or the lease in its way has changed.
type refusals struct {
	mu       sync.Mutex
	claim    string
	lease    string // the key in the way
	revision int64  // at which it was
	pause    backoff.Backoff
	until    time.Time
}

// claimant names what a claim asks for, as far as others can be in its way.
func claimant(c lease.Claim) string { return fmt.Sprint(c.Owner, c.Public) }

// note takes in how a claim ended.
func (r *refusals) note(c lease.Claim, revision int64, err error) {
	name, isRefusal := refusedFor(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !isRefusal || r.claim != claimant(c) {
		r.pause = backoff.Backoff{First: 10 * time.Second, Most: 5 * time.Minute}
	}
	if r.claim = ""; isRefusal {
		r.claim, r.lease, r.revision = claimant(c), name, revision
		r.until = time.Now().Add(r.pause.Next())
	}
}

// refusedFor returns the lease because of which err refuses a claim.
func refusedFor(err error) (name string, ok bool) {
	if e, ok := errors.AsType[*lease.AddressTakenError](err); ok {
		return lease.Key(e.Held), true
	}
	if e, ok := errors.AsType[*lease.CloneError](err); ok {
		return lease.Key(e.Held.Subnets), true
	}
	return "", false
}

// pending returns what a claim has to wait for.
func (r *refusals) pending(c lease.Claim) (name string, revision int64, until time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lease, r.revision, r.until, r.claim == claimant(c)
}

// awaitTurn returns when it makes sense to try claim c, or with ctx's error.
func (s *Store) awaitTurn(ctx context.Context, c lease.Claim) error {
	name, revision, until, ok := s.refusals.pending(c)
	if !ok {
		return s.sessions.pace(ctx)
	}
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(time.Until(until), cancel).Stop()
	loop := session.Loop{
		Run: func(ctx context.Context, now *session.Session) error {
			return s.watch(ctx, revision+1, doorbell{now}, s.keys.only(s.keys.lease(name)))
		},
		Final: func(err error) bool {
			return errors.Is(err, errRang) || errors.Is(err, errCompacted) || s.life.Err() != nil
		},
		Down: func(error) {}, // shows when it is tried again
		Up:   func() {},
	}
	_ = loop.Keep(within)
	return ctx.Err()
}
