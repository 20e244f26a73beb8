package etcd

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

// SetConfig stores doc if the config is still at revision rev.
func (s *Store) SetConfig(ctx context.Context, doc []byte, rev int64) error {
	key := s.keys.config()
	var when []clientv3.Cmp
	if rev != store.AnyRevision {
		when = append(when, clientv3.Compare(clientv3.ModRevision(key), "=", rev))
	}
	return s.call(ctx, "storing the config", func(ctx context.Context, etcd *clientv3.Client) error {
		resp, err := etcd.Txn(ctx).If(when...).Then(clientv3.OpPut(key, string(doc))).Else(clientv3.OpGet(key)).Commit()
		if err != nil || resp.Succeeded {
			return err
		}
		kvs := resp.Responses[0].GetResponseRange().Kvs
		if len(kvs) == 1 && bytes.Equal(kvs[0].Value, doc) {
			return nil // ours, and only the answer was lost; or another writer stored the same
		}
		return store.ErrConflict
	})
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
	for pause := backoff.UntilWon(); ; {
		r, err := s.record(ctx, name)
		if err != nil {
			return err
		}
		keep := r.lease != nil && len(l.Public) == 0 && l.Backend == "" && l.Data.Empty()
		if keep {
			value = r.lease.Value
		}
		ok, err := s.commit(ctx, "reserving "+name, s.reserving(r, string(value), keep))
		if err != nil {
			return err
		}
		if ok {
			s.dropIfEmpty(ctx, ttlOf(r.lease))
			return nil
		}
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
}

// reserving writes all of r again, without a time to live. The addresses stay
// r's only if it still announces them.
func (s *Store) reserving(r record, value string, keep bool) txn {
	var t txn
	s.unchanged(&t, r)
	t.put(s.keys.lease(r.name), value, 0)
	if r.owner != nil {
		t.put(s.keys.owner(r.name), string(r.owner.Value), 0)
	}
	if r.host != nil {
		t.put(s.keys.host(r.name), string(r.host.Value), 0)
	}
	if r.id != nil {
		t.put(string(r.id.Key), r.name, 0)
	}
	for key, kv := range r.addrs {
		switch {
		case !r.holds(kv):
		case keep:
			t.put(key, r.name, 0)
		default:
			t.del(key)
		}
	}
	return t
}

// Release deletes the lease or reservation of exactly these subnets.
func (s *Store) Release(ctx context.Context, subnets []netip.Prefix) error {
	name := lease.Key(subnets)
	tried := false
	for pause := backoff.UntilWon(); ; tried = true {
		r, err := s.record(ctx, name)
		if err != nil {
			return err
		}
		if r.lease == nil && tried {
			return nil // by us, and the answer was lost, or by another program
		}
		if r.lease == nil {
			return fmt.Errorf("releasing %s: %w", lease.FormatSubnets(subnets), store.ErrNotFound)
		}
		var t txn
		s.unchanged(&t, r)
		s.delete(&t, r)
		ok, err := s.commit(ctx, "releasing "+name, t)
		if err != nil {
			return err
		}
		if ok {
			s.dropIfEmpty(ctx, ttlOf(r.lease))
			return nil
		}
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
}

// delete removes all that is stored about r.
func (s *Store) delete(t *txn, r record) {
	t.del(s.keys.lease(r.name))
	t.del(s.keys.owner(r.name))
	t.del(s.keys.former(r.name))
	t.del(s.keys.host(r.name))
	if r.id != nil {
		t.del(string(r.id.Key))
	}
	for key, kv := range r.addrs {
		if r.holds(kv) {
			t.del(key)
		}
	}
}
