package etcd

import (
	"context"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// txn is a set of writes that happen only if nothing that matters has changed
// since it was read.
type txn struct {
	when []clientv3.Cmp
	then []clientv3.Op
}

// unchanged asks that key is as it was read; kv is nil if there was none.
func (t *txn) unchanged(key string, kv *mvccpb.KeyValue) {
	var rev int64
	if kv != nil {
		rev = kv.ModRevision
	}
	t.when = append(t.when, clientv3.Compare(clientv3.ModRevision(key), "=", rev))
}

// noneSince asks that no key was made in s after revision rev.
func (t *txn) noneSince(s span, rev int64) {
	cmp := clientv3.Compare(clientv3.CreateRevision(s.first), "<", rev+1)
	t.when = append(t.when, cmp.WithRange(s.end))
}

// put writes key, attached to the etcd lease id; 0: to none.
func (t *txn) put(key, value string, id ttlID) {
	t.then = append(t.then, clientv3.OpPut(key, value, clientv3.WithLease(id)))
}

// del deletes key. A key that is put in the same txn cannot be deleted too.
func (t *txn) del(key string) { t.then = append(t.then, clientv3.OpDelete(key)) }

// commit returns false if something had changed. Whoever gets false reads
// again; a success whose answer was lost looks the same, and is found then.
func (s *Store) commit(ctx context.Context, what string, t txn) (ok bool, err error) {
	err = s.permitted(ctx, func() error {
		t := s.within(s.allowed(), t)
		return s.call(ctx, what, func(ctx context.Context, etcd *clientv3.Client) error {
			resp, err := etcd.Txn(ctx).If(t.when...).Then(t.then...).Commit()
			if err == nil {
				ok = resp.Succeeded
			}
			return err
		})
	})
	return ok, err
}

// fetch reads keys at one revision; the result has nil for what is not there,
// and for weft's own keys if they are not allowed.
func (s *Store) fetch(ctx context.Context, what string, keys []string, opts ...clientv3.OpOption) (out []*mvccpb.KeyValue, err error) {
	err = s.permitted(ctx, func() error {
		out, err = s.fetchAllowed(ctx, what, keys, opts)
		return err
	})
	return out, err
}

func (s *Store) fetchAllowed(ctx context.Context, what string, keys []string, opts []clientv3.OpOption) ([]*mvccpb.KeyValue, error) {
	out := make([]*mvccpb.KeyValue, len(keys))
	var ops []clientv3.Op
	var at []int
	records := s.allowed().records
	for i, k := range keys {
		if records || !s.keys.isOwn(k) {
			ops, at = append(ops, clientv3.OpGet(k, opts...)), append(at, i)
		}
	}
	if len(ops) == 0 {
		return out, nil
	}
	err := s.call(ctx, what, func(ctx context.Context, etcd *clientv3.Client) error {
		resp, err := etcd.Txn(ctx).Then(ops...).Commit()
		if err != nil {
			return err
		}
		for i, r := range resp.Responses {
			if kvs := r.GetResponseRange().Kvs; len(kvs) > 0 {
				out[at[i]] = kvs[0]
			}
		}
		return nil
	})
	return out, err
}
