package etcd

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/sync/errgroup"

	"github.com/weft-net/weft/internal/lease"
)

// termsAtOnce is how many etcd leases are asked about at one time.
const termsAtOnce = 16

// Terms implements store.Timer. It takes one request for each etcd lease: etcd
// tells of several neither in one request nor in a list.
func (s *Store) Terms(ctx context.Context, leases []lease.Lease) error {
	ids, err := s.ttlIDs(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(termsAtOnce)
	for i := range leases {
		l := &leases[i]
		id := ids[s.keys.lease(lease.Key(l.Subnets))]
		if id == 0 {
			continue
		}
		group.Go(func() error {
			left, _, err := s.remaining(ctx, id)
			if errors.Is(err, rpctypes.ErrLeaseNotFound) {
				return nil // it ran out just now
			}
			l.TTL = left
			return err
		})
	}
	return group.Wait()
}

// ttlIDs returns the etcd leases that leases' keys are attached to.
func (s *Store) ttlIDs(ctx context.Context) (map[string]ttlID, error) {
	var ids map[string]ttlID
	_, err := s.read(ctx, "reading the etcd leases", func() []part {
		ids = map[string]ttlID{}
		return []part{{
			span: s.keys.leases(),
			// etcd 3.7 leaves the etcd lease out when it is asked for keys only
			take: func(kv *mvccpb.KeyValue) { ids[string(kv.Key)] = ttlOf(kv) },
		}}
	})
	return ids, err
}
