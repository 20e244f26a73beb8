package etcd

import (
	"context"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/view"
)

// Snapshot reads the config and all leases in one round trip, and one more for
// each thousand leases.
func (s *Store) Snapshot(ctx context.Context) (store.Snapshot, error) {
	l, err := s.list(ctx)
	if err != nil {
		return store.Snapshot{}, err
	}
	return l.view.Snapshot(), nil
}

// listing is everything at one revision of one etcd cluster.
type listing struct {
	view     *view.View
	revision int64
	allowed  allowed // which keys were read
	cluster  uint64
}

func (s *Store) list(ctx context.Context) (listing, error) {
	var b *view.Builder
	var read allowed
	header, err := s.read(ctx, "reading config and leases", func() []part {
		b, read = view.NewBuilder(), s.allowed()
		take := func(kv *mvccpb.KeyValue) { b.Put(s.item(kv)) }
		return []part{{span: s.keys.flannels(), take: take}, {span: s.keys.notes(), take: take}}
	})
	if err != nil {
		return listing{}, err
	}
	v := b.View(header.Revision)
	v.Note(s.notes(read))
	if v.Config() == nil {
		v.Missing(s.missing(ctx))
	}
	return listing{view: v, revision: header.Revision, cluster: header.ClusterId, allowed: read}, nil
}

func (s *Store) item(kv *mvccpb.KeyValue) view.Item {
	return view.Item{
		Key:      s.keys.below(kv.Key),
		Value:    kv.Value,
		Revision: kv.ModRevision,
		Reserved: kv.Lease == 0,
	}
}
