package mem

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/view"
)

// enter takes the lock for one call; the caller unlocks if there is no error.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.broken != nil {
		defer s.mu.Unlock()
		return fmt.Errorf("memory store: %w", s.broken)
	}
	return nil
}

// Snapshot returns the present content.
func (s *Store) Snapshot(ctx context.Context) (store.Snapshot, error) {
	if err := s.enter(ctx); err != nil {
		return store.Snapshot{}, err
	}
	defer s.mu.Unlock()
	return s.snapshot(), nil
}

// occupied returns all leases. One that was stored without a time to live by
// another program than weft is no reservation if its host is recorded.
func (s *Store) occupied() []lease.Lease {
	all := view.Occupied(s.items())
	for i, l := range all {
		if _, recorded := s.owners[lease.Key(l.Subnets)]; recorded {
			all[i].Reserved = s.reserved[lease.Key(l.Subnets)]
		}
	}
	return all
}

// SetConfig stores doc if the config is still at revision rev.
func (s *Store) SetConfig(ctx context.Context, doc []byte, rev int64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	var at int64
	var have []byte
	if e := s.keys[view.ConfigKey]; e != nil {
		at, have = e.revision, e.value
	}
	if rev != store.AnyRevision && rev != at {
		if at != 0 && bytes.Equal(have, doc) {
			return nil
		}
		return fmt.Errorf("memory store: storing the config: %w", store.ErrConflict)
	}
	s.put(view.ConfigKey, bytes.Clone(doc), 0)
	return nil
}

// Reserve stores l without a time to live.
func (s *Store) Reserve(ctx context.Context, l lease.Lease) error {
	name := lease.Key(l.Subnets)
	if _, err := lease.ParseKey(name); err != nil {
		return fmt.Errorf("reserving %s: %w", lease.FormatSubnets(l.Subnets), err)
	}
	value, err := lease.MarshalAttrs(l.Attrs)
	if err != nil {
		return fmt.Errorf("reserving %s: %w", lease.FormatSubnets(l.Subnets), err)
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if e := s.keys[view.Subnets+name]; e != nil && len(l.Public) == 0 && l.Backend == "" && l.Data.Empty() {
		value = e.value
	}
	s.put(view.Subnets+name, value, 0)
	s.reserved[name] = true
	return nil
}

// Release deletes the lease or reservation of these subnets.
func (s *Store) Release(ctx context.Context, subnets []netip.Prefix) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if !s.remove(lease.Key(subnets)) {
		return fmt.Errorf("releasing %s: %w", lease.FormatSubnets(subnets), store.ErrNotFound)
	}
	return nil
}

// Follow calls fn with the present snapshot and after every change.
func (s *Store) Follow(ctx context.Context, fn func(store.Update)) error {
	var seen int64  // the revision that fn knows
	var told string // the outage that fn knows
	for ctx.Err() == nil {
		s.mu.Lock()
		var u store.Update
		switch {
		case s.broken != nil:
			if u.Err = fmt.Errorf("memory store: %w", s.broken); u.Err.Error() == told {
				u.Err = nil
			} else {
				told = u.Err.Error()
			}
		case seen != s.revision || told != "":
			snap := s.snapshot()
			u.Snapshot, seen, told = &snap, snap.Revision, ""
		}
		changed := s.changed
		s.mu.Unlock()
		if u != (store.Update{}) {
			fn(u)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	return ctx.Err()
}

// Hold keeps l for owner until it is lost or ctx ends.
func (s *Store) Hold(ctx context.Context, l lease.Lease, owner lease.Owner, margin time.Duration) error {
	h := &holder{
		Store: s, name: lease.Key(l.Subnets), lease: l, owner: owner, margin: margin,
		restores: backoff.Pace{First: time.Second, Most: time.Minute, Calm: 5 * time.Minute},
	}
	h.enter()
	defer h.leave()
	for ctx.Err() == nil {
		changed, next, err := h.round()
		if err != nil {
			return fmt.Errorf("lease %s: %w", lease.FormatSubnets(l.Subnets), err)
		}
		var due <-chan time.Time
		if next > 0 {
			due = time.After(next)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-due:
		}
	}
	return ctx.Err()
}
