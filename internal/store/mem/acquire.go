package mem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store/view"
)

// Acquire gets claim's owner a lease.
func (s *Store) Acquire(ctx context.Context, net netconf.Network, claim lease.Claim) (lease.Lease, error) {
	value, err := lease.MarshalAttrs(claim.Attrs)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("acquiring a lease: %w", err)
	}
	for {
		l, err := s.acquire(ctx, net, claim, value)
		contest, is := errors.AsType[*lease.ContestedError](err)
		if is {
			err = s.contest(ctx, contest)
		}
		if !is || err != nil {
			return l, err
		}
		claim.Ended = append(claim.Ended, contest.Holder)
	}
}

// acquire chooses and writes once.
func (s *Store) acquire(ctx context.Context, net netconf.Network, claim lease.Claim, value []byte) (lease.Lease, error) {
	if err := s.enter(ctx); err != nil {
		return lease.Lease{}, err
	}
	defer s.mu.Unlock()
	claim.Held = s.held[claim.Session]
	claim.Ended = append(claim.Ended, s.ended...)
	c, err := lease.Choose(net, s.occupied(), s.owners, claim, rand.Uint64())
	if err != nil {
		return lease.Lease{}, fmt.Errorf("acquiring a lease: %w", err)
	}
	for _, l := range c.Drop {
		s.remove(lease.Key(l.Subnets))
	}
	for _, r := range c.Draining {
		s.drain(r, value, claim)
	}
	s.write(&c, claim, value)
	if claim.Session != "" {
		s.held[claim.Session] = true
		s.ended = append(s.ended, c.Ended...)
	}
	return c.Lease, nil
}

// write stores the chosen lease. It wants mu held.
func (s *Store) write(c *lease.Choice, claim lease.Claim, value []byte) {
	name := lease.Key(c.Lease.Subnets)
	if !c.Lease.Reserved {
		c.Lease.TTL = leaseTTL
	}
	s.written[name] = value
	if e := s.keys[view.Subnets+name]; e != nil && bytes.Equal(e.value, value) && e.ends.IsZero() == c.Lease.Reserved {
		e.renew()
	} else {
		s.put(view.Subnets+name, value, c.Lease.TTL)
		if doc, err := lease.MarshalHost(claim.Host); err == nil && claim.Host.Name != "" {
			s.put(view.Hosts+name, doc, c.Lease.TTL)
		}
	}
	if s.owners[name] != claim.Owner {
		s.owners[name] = claim.Owner
		s.notify()
	}
	s.reserved[name] = c.Lease.Reserved
	s.drop(view.Former + name)
}

// contest waits for the agent that holds a lease to show that it runs, which it
// does by holding, and returns the refusal then.
func (s *Store) contest(ctx context.Context, c *lease.ContestedError) error {
	silent := time.NewTimer(c.Patience())
	defer silent.Stop()
	for {
		s.mu.Lock()
		runs, changed := s.runs(c.Holder), s.changed
		s.mu.Unlock()
		if runs {
			return fmt.Errorf("acquiring a lease: %w", c.Refusal())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-silent.C:
			return nil
		case <-changed:
		}
	}
}

// runs reports whether the agent of o's session holds a lease. It wants mu held.
func (s *Store) runs(o lease.Owner) bool {
	for h := range s.holders {
		if h.broken == nil && h.owner.ID == o.ID && h.owner.Session == o.Session {
			return true
		}
	}
	return false
}
