package etcd

import (
	"context"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/view"
)

// Snapshot reads the config and all leases in one round trip.
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
	cluster  uint64
}

func (s *Store) list(ctx context.Context) (listing, error) {
	var resp *clientv3.TxnResponse
	all, former := s.keys.flannels(), s.keys.formers()
	err := s.call(ctx, "reading config and leases", func(ctx context.Context, etcd *clientv3.Client) (err error) {
		resp, err = etcd.Txn(ctx).Then(
			clientv3.OpGet(all.first, clientv3.WithRange(all.end)),
			clientv3.OpGet(former.first, clientv3.WithRange(former.end)),
		).Commit()
		return err
	})
	if err != nil {
		return listing{}, err
	}
	kvs := func(i int) []*mvccpb.KeyValue { return resp.Responses[i].GetResponseRange().Kvs }
	return listing{
		view:     view.New(resp.Header.Revision, slices.Concat(s.items(kvs(0)), s.items(kvs(1)))),
		revision: resp.Header.Revision,
		cluster:  resp.Header.ClusterId,
	}, nil
}

func (s *Store) items(kvs []*mvccpb.KeyValue) []view.Item {
	out := make([]view.Item, 0, len(kvs))
	for _, kv := range kvs {
		out = append(out, s.item(kv))
	}
	return out
}

func (s *Store) item(kv *mvccpb.KeyValue) view.Item {
	return view.Item{
		Key:      s.keys.below(kv.Key),
		Value:    kv.Value,
		Revision: kv.ModRevision,
		Reserved: kv.Lease == 0,
	}
}
