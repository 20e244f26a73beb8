package etcd

import (
	"context"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store/view"
)

// contents is all that matters to who gets which subnet, at one revision.
type contents struct {
	revision int64
	leases   []lease.Lease
	owners   map[string]lease.Owner      // by lease.Key
	keys     map[string]*mvccpb.KeyValue // flannel's and weft's, by full key
}

func (s *Store) contents(ctx context.Context) (contents, error) {
	var resp *clientv3.TxnResponse
	theirs, ours := s.keys.flannels(), s.keys.wefts()
	err := s.call(ctx, "reading leases and owners", func(ctx context.Context, etcd *clientv3.Client) (err error) {
		resp, err = etcd.Txn(ctx).Then(
			clientv3.OpGet(theirs.first, clientv3.WithRange(theirs.end)),
			clientv3.OpGet(ours.first, clientv3.WithRange(ours.end)),
		).Commit()
		return err
	})
	if err != nil {
		return contents{}, err
	}
	leases := resp.Responses[0].GetResponseRange().Kvs
	records := resp.Responses[1].GetResponseRange().Kvs
	c := contents{
		revision: resp.Header.Revision,
		leases:   view.Occupied(s.items(leases)),
		owners:   map[string]lease.Owner{},
		keys:     make(map[string]*mvccpb.KeyValue, len(leases)+len(records)),
	}
	for _, kv := range leases {
		c.keys[string(kv.Key)] = kv
	}
	for _, kv := range records {
		c.keys[string(kv.Key)] = kv
		name, ok := strings.CutPrefix(string(kv.Key), s.keys.owner(""))
		if !ok {
			continue
		}
		if o, err := parseOwner(kv); err != nil {
			s.log.Warn("an owner's record cannot be read and is passed over", "err", err)
		} else {
			c.owners[name] = o
		}
	}
	return c, nil
}
