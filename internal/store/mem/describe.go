package mem

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/view"
)

var _ store.Describer = (*Store)(nil)

// Describe stores what this host says of itself beside its lease.
func (s *Store) Describe(_ context.Context, l lease.Lease, h lease.Host) error {
	name := lease.Key(l.Subnets)
	value, err := lease.MarshalHost(h)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	held := s.keys[view.Subnets+name]
	if held == nil {
		return fmt.Errorf("%w: %s was deleted, or expired", store.ErrLost, name)
	}
	if attrs, err := lease.ParseAttrs(held.value); err != nil || !slices.Equal(attrs.Public, l.Public) {
		return fmt.Errorf("%w: %s announces other addresses", store.ErrLost, name)
	}
	if e := s.keys[view.Hosts+name]; e == nil || !bytes.Equal(e.value, value) {
		s.put(view.Hosts+name, value, max(0, time.Until(held.ends)))
	}
	return nil
}
