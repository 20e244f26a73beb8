package mem

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/view"
)

// drain keeps what is left of a former lease for as long as that would have
// lived. It wants mu held.
func (s *Store) drain(r lease.Rest, value []byte, claim lease.Claim) {
	old, name := lease.Key(r.Of.Subnets), lease.Key(r.Subnets)
	var left time.Duration
	if e := s.keys[view.Subnets+old]; !e.ends.IsZero() {
		left = time.Until(e.ends)
	}
	if name != old {
		s.remove(old)
	}
	if e := s.keys[view.Subnets+name]; e == nil || !bytes.Equal(e.value, value) {
		s.put(view.Subnets+name, value, left)
	}
	s.owners[name] = claim.Owner
	if pasts := claim.FormerOf(r); len(pasts) > 0 {
		s.put(view.Former+name, []byte(netconf.FormatPasts(pasts)), left)
	}
}

// keep looks after l once: it renews it if that is due and returns when to
// come again, 0 if only after a change. It wants mu held.
func (s *Store) keep(l lease.Lease, owner lease.Owner, margin time.Duration) (time.Duration, error) {
	name := lease.Key(l.Subnets)
	e := s.keys[view.Subnets+name]
	if e == nil {
		return 0, fmt.Errorf("%w: it was deleted, or ran out", store.ErrLost)
	}
	if o, ok := s.owners[name]; ok && o.ID != owner.ID {
		return 0, fmt.Errorf("%w: %s has taken it", store.ErrLost, o.Hostname)
	}
	attrs, err := lease.ParseAttrs(e.value)
	if err != nil {
		return 0, fmt.Errorf("%w: somebody overwrote it: %w", store.ErrLost, err)
	}
	if !slices.Equal(attrs.Public, l.Public) {
		return 0, fmt.Errorf("%w: it announces %v now", store.ErrLost, attrs.Public)
	}
	if e.ends.IsZero() {
		return 0, nil
	}
	if time.Until(e.ends) <= margin {
		e.renew()
	}
	left := time.Until(e.ends)
	return max(left-margin, left/2), nil
}
