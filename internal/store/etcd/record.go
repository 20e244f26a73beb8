package etcd

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/weft-net/weft/internal/lease"
)

// record is all that is stored about one lease; a nil key is not there.
type record struct {
	name  string
	lease *mvccpb.KeyValue
	owner *mvccpb.KeyValue
	host  *mvccpb.KeyValue            // what its host says of itself
	addrs map[string]*mvccpb.KeyValue // by key: the announced addresses, and who has them
	id    *mvccpb.KeyValue            // the key of its owner's id
}

// record reads what is stored for the lease with this name.
func (s *Store) record(ctx context.Context, name string) (record, error) {
	what := "reading lease " + name
	got, err := s.fetch(ctx, what, []string{s.keys.lease(name), s.keys.owner(name), s.keys.host(name)})
	if err != nil {
		return record{}, err
	}
	r := record{name: name, lease: got[0], owner: got[1], host: got[2], addrs: map[string]*mvccpb.KeyValue{}}
	keys := s.addrKeys(r.lease)
	held, err := s.fetch(ctx, what, append(slices.Clone(keys), s.idKey(r.owner)))
	if err != nil {
		return record{}, err
	}
	for i, k := range keys {
		r.addrs[k] = held[i]
	}
	if last := held[len(keys)]; r.holds(last) {
		r.id = last
	}
	return r, nil
}

// addrKeys are the keys of the addresses that a stored lease announces; none
// if its value cannot be read.
func (s *Store) addrKeys(kv *mvccpb.KeyValue) []string {
	if kv == nil {
		return nil
	}
	attrs, err := lease.ParseAttrs(kv.Value)
	if err != nil {
		return nil
	}
	keys := make([]string, 0, len(attrs.Public))
	for _, a := range attrs.Public {
		keys = append(keys, s.keys.addr(a))
	}
	return keys
}

// idKey is the key of the id in an owner's record; of no id, if it has none.
func (s *Store) idKey(kv *mvccpb.KeyValue) string {
	if kv == nil {
		return s.keys.id("")
	}
	o, _ := parseOwner(kv) // what cannot be read has no id
	return s.keys.id(o.ID)
}

// unchanged asks that all of r is as it was read.
func (s *Store) unchanged(t *txn, r record) {
	t.unchanged(s.keys.lease(r.name), r.lease)
	t.unchanged(s.keys.owner(r.name), r.owner)
	for key, kv := range r.addrs {
		t.unchanged(key, kv)
	}
	if r.id != nil {
		t.unchanged(string(r.id.Key), r.id)
	}
}

// holds tells whether kv, an address's key, points to this lease.
func (r record) holds(kv *mvccpb.KeyValue) bool {
	return kv != nil && string(kv.Value) == r.name
}

func parseOwner(kv *mvccpb.KeyValue) (lease.Owner, error) {
	var o lease.Owner
	if err := json.Unmarshal(kv.Value, &o); err != nil {
		return o, fmt.Errorf("%q is not an owner's record: %w; delete it with etcdctl", kv.Key, err)
	}
	return o, nil
}

// ttlOf returns the etcd lease that kv is attached to.
func ttlOf(kv *mvccpb.KeyValue) ttlID {
	if kv == nil {
		return 0
	}
	return ttlID(kv.Lease)
}
