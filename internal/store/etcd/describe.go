package etcd

import (
	"context"
	"fmt"
	"slices"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

var _ store.Describer = (*Store)(nil)

// Describe stores what this host says of itself beside its lease.
func (s *Store) Describe(ctx context.Context, l lease.Lease, h lease.Host) error {
	if !s.allowed().records {
		return nil
	}
	name := lease.Key(l.Subnets)
	value, err := lease.MarshalHost(h)
	if err != nil {
		return err
	}
	what := "describing the host of lease " + name
	for {
		got, err := s.fetch(ctx, what, []string{s.keys.lease(name), s.keys.host(name)})
		if err != nil {
			return err
		}
		held, kv := got[0], got[1]
		if held == nil {
			return fmt.Errorf("%w: %s was deleted, or expired", store.ErrLost, name)
		}
		if attrs, err := lease.ParseAttrs(held.Value); err != nil || !slices.Equal(attrs.Public, l.Public) {
			return fmt.Errorf("%w: %s announces other addresses", store.ErrLost, name)
		}
		if kv != nil && string(kv.Value) == string(value) && ttlOf(kv) == ttlOf(held) {
			return nil
		}
		var t txn
		t.unchanged(s.keys.lease(name), held)
		t.put(s.keys.host(name), string(value), ttlOf(held))
		if ok, err := s.commit(ctx, what, t); ok || err != nil {
			return err
		}
	}
}
