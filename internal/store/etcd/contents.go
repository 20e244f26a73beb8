package etcd

import (
	"context"
	"slices"
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
	owners   map[string]lease.Owner // by lease.Key
	theirs   keyValues              // flannel's
	ours     keyValues              // weft's, which sort behind
}

// keyValues are as etcd lists them: by key.
type keyValues []*mvccpb.KeyValue

// find returns what is stored under key, nil if nothing is.
func (kvs keyValues) find(key string) *mvccpb.KeyValue {
	i, ok := slices.BinarySearchFunc(kvs, key, func(kv *mvccpb.KeyValue, key string) int {
		return strings.Compare(string(kv.Key), key)
	})
	if !ok {
		return nil
	}
	return kvs[i]
}

// key returns what is stored under a full key, nil if nothing is.
func (c contents) key(key string) *mvccpb.KeyValue {
	if kv := c.theirs.find(key); kv != nil {
		return kv
	}
	return c.ours.find(key)
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
	c := contents{
		revision: resp.Header.Revision,
		owners:   map[string]lease.Owner{},
		theirs:   resp.Responses[0].GetResponseRange().Kvs,
		ours:     resp.Responses[1].GetResponseRange().Kvs,
	}
	c.leases = view.Occupied(s.items(c.theirs))
	for _, kv := range c.ours {
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
	for i, l := range c.leases {
		// One that another program than weft stored without a time to live is
		// no reservation: its host's record has one.
		if l.Reserved && ttlOf(c.ours.find(s.keys.owner(lease.Key(l.Subnets)))) != 0 {
			c.leases[i].Reserved = false
		}
	}
	return c, nil
}
