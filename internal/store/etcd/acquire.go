package etcd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"

	"github.com/weft-net/weft/internal/backoff"
)

// Acquire gets claim's owner a lease on net.
func (s *Store) Acquire(ctx context.Context, net netconf.Network, claim lease.Claim) (lease.Lease, error) {
	a := &acquisition{Store: s, net: net, claim: claim}
	if err := a.encode(); err != nil {
		return lease.Lease{}, fmt.Errorf("acquiring a lease: %w", err)
	}
	if err := s.awaitTurn(ctx, claim); err != nil {
		return lease.Lease{}, fmt.Errorf("acquiring a lease: %w", err)
	}
	s.sessions.tell(&a.claim)
	defer a.tidy(ctx)
	for pause := backoff.UntilWon(); ; {
		l, ok, err := a.try(ctx)
		if contest, is := errors.AsType[*lease.ContestedError](err); is {
			if err = a.contest(ctx, contest); err == nil {
				continue
			}
		}
		if ok || err != nil {
			s.refusals.note(claim, a.revision, err)
			return l, err
		}
		if err := pause.Wait(ctx); err != nil {
			return lease.Lease{}, fmt.Errorf("acquiring a lease against other hosts that start: %w", err)
		}
	}
}

// acquisition is one call of Acquire.
type acquisition struct {
	*Store
	net      netconf.Network
	claim    lease.Claim
	value    string  // what the lease's key will hold
	owner    string  // what the owner's record will hold
	revision int64   // at which was read
	granted  ttlID   // made for this call; 0 if none was needed so far
	unused   []ttlID // etcd leases that may be left without a key
}

// try reads, chooses and writes once; ok is false if another host was faster.
func (a *acquisition) try(ctx context.Context) (l lease.Lease, ok bool, err error) {
	have, err := a.contents(ctx, a.claim)
	if err != nil {
		return l, false, err
	}
	a.revision = have.revision
	choice, err := lease.Choose(a.net, have.leases, have.owners, a.claim, rand.Uint64())
	if err != nil {
		return l, false, fmt.Errorf("acquiring a lease: %w", err)
	}
	l = choice.Lease
	if ok, err := a.load(ctx, &have, choice); !ok || err != nil {
		return l, false, err
	}
	var id ttlID
	if !l.Reserved {
		id, l.TTL, err = a.ttl(ctx, have, choice)
		if errors.Is(err, rpctypes.ErrLeaseNotFound) {
			return l, false, nil // it ran out just now
		}
		if err != nil {
			return l, false, err
		}
	}
	t := a.writes(have, choice, id)
	a.written.set(lease.Key(l.Subnets), entry{a.value, id}) // before it is stored, or Hold might restore what was before
	if len(t.then) > 0 {
		if ok, err = a.commit(ctx, "storing lease "+lease.Key(l.Subnets), t); !ok || err != nil {
			return l, false, err
		}
	}
	a.obsolete(have, choice, id)
	a.sessions.acquired(a.claim, choice.Ended)
	a.log.Debug("lease acquired", "subnets", lease.FormatSubnets(l.Subnets), "how", choice.Why, "reserved", l.Reserved)
	return l, true, nil
}

// ttl returns the etcd lease for the chosen lease, renewed, and how long it
// lasts: the one that its key is attached to already, whoever made that, or a
// new one.
func (a *acquisition) ttl(ctx context.Context, have contents, c lease.Choice) (ttlID, time.Duration, error) {
	if id := ttlOf(have.key(a.keys.lease(lease.Key(c.Lease.Subnets)))); c.Had && id != 0 {
		left, err := a.renew(ctx, id)
		if err != nil || left > leaseTTL/2 {
			return id, left, err
		}
	}
	if a.granted != 0 {
		return a.granted, leaseTTL, nil
	}
	id, err := a.grant(ctx, leaseTTL)
	if err == nil {
		a.granted = id
	}
	return id, leaseTTL, err
}

// obsolete notes the etcd leases of keys that are gone or moved.
func (a *acquisition) obsolete(have contents, c lease.Choice, id ttlID) {
	for _, l := range append(c.Drop, c.Lease) {
		old := ttlOf(have.key(a.keys.lease(lease.Key(l.Subnets))))
		if old != id {
			a.unused = append(a.unused, old)
		}
	}
	if a.granted == id {
		a.granted = 0
	}
}

// tidy revokes etcd leases that no key is attached to, also when ctx is over.
func (a *acquisition) tidy(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	for _, id := range append(a.unused, a.granted) {
		a.dropIfEmpty(ctx, id)
	}
}
