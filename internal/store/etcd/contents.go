package etcd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store/view"
)

// contents is all that matters to who gets which subnet, at one revision.
type contents struct {
	revision int64
	leases   []lease.Lease               // sorted
	owners   map[string]lease.Owner      // by lease.Key; empty for hosts that have nothing in common with the claimant
	stored   map[string]*mvccpb.KeyValue // the keys that a choice is about; see load
}

// key returns what is stored under a full key, nil if nothing is.
func (c contents) key(key string) *mvccpb.KeyValue { return c.stored[key] }

// contents reads all leases and their owners, as far as they matter to claim.
func (s *Store) contents(ctx context.Context, claim lease.Claim) (contents, error) {
	id, err := json.Marshal(claim.ID) // as it stands in a record
	if err != nil {
		return contents{}, err
	}
	var r *reading
	header, err := s.read(ctx, "reading leases and owners", func() []part {
		r = &reading{Store: s, claim: claim, id: id, notes: map[string]note{}, contents: contents{owners: map[string]lease.Owner{}}}
		return []part{{span: s.keys.leases(), take: r.putLease}, {span: s.keys.owners(), take: r.putOwner}}
	})
	if err != nil {
		return contents{}, err
	}
	r.revision = header.Revision
	slices.SortFunc(r.leases, lease.Lease.Compare)
	return r.contents, nil
}

// reading is contents that come in: first all leases, then their owners.
type reading struct {
	*Store
	contents
	claim lease.Claim
	id    []byte          // the claimant's, as JSON
	notes map[string]note // by lease.Key, of those leases that need a second look
}

// note is what of a lease depends on its owner.
type note struct {
	index     int  // among the leases
	permanent bool // it has no time to live
	shared    bool // it announces an address of the claimant's
}

func (r *reading) putLease(kv *mvccpb.KeyValue) {
	l, ok := view.Occupying(r.item(kv))
	if !ok {
		return
	}
	n := note{
		index: len(r.leases), permanent: l.Reserved,
		shared: slices.ContainsFunc(l.Public, func(a netip.Addr) bool { return slices.Contains(r.claim.Public, a) }),
	}
	if n.permanent || n.shared {
		r.notes[lease.Key(l.Subnets)] = n
	}
	r.leases = append(r.leases, l)
}

func (r *reading) putOwner(kv *mvccpb.KeyValue) {
	name := strings.TrimPrefix(string(kv.Key), r.keys.owner(""))
	n, noted := r.notes[name]
	o, err := r.ownerIn(kv, n.shared)
	if err != nil {
		r.log.Warn("an owner's record cannot be read and is ignored", "error", err)
		return
	}
	r.owners[name] = o
	// A lease that another program than weft stored without a time to live is
	// no reservation: its host's record has one.
	if noted && n.permanent && ttlOf(kv) != 0 {
		r.leases[n.index].Reserved = false
	}
}

// ownerIn returns the owner that a record names. Of the many that have neither
// the claimant's id nor its address it is enough to know that they are there.
func (r *reading) ownerIn(kv *mvccpb.KeyValue, shared bool) (lease.Owner, error) {
	if !shared && !bytes.Contains(kv.Value, r.id) && json.Valid(kv.Value) {
		return lease.Owner{}, nil
	}
	return parseOwner(kv)
}

// load reads the keys that choice c is about as they were when have was read.
// It returns false if that is too long ago.
func (a *acquisition) load(ctx context.Context, have *contents, c lease.Choice) (bool, error) {
	keys := a.keysOf(*have, c)
	have.stored = make(map[string]*mvccpb.KeyValue, len(keys))
	for some := range slices.Chunk(keys, maxOps) {
		got, err := a.fetch(ctx, "reading the leases to change", some, clientv3.WithRev(have.revision))
		if errors.Is(err, rpctypes.ErrCompacted) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		for i, key := range some {
			have.stored[key] = got[i]
		}
	}
	return true, nil
}

// maxOps is how many operations go into one transaction; etcd's limit is 128.
const maxOps = 100

// keysOf returns all keys that may change for choice c.
func (a *acquisition) keysOf(have contents, c lease.Choice) []string {
	keys := []string{a.keys.id(a.claim.ID)}
	addrs := func(l lease.Lease) {
		for _, addr := range l.Public {
			keys = append(keys, a.keys.addr(addr))
		}
	}
	add := func(l lease.Lease) {
		name := lease.Key(l.Subnets)
		keys = append(keys, a.keys.lease(name), a.keys.owner(name), a.keys.former(name))
		if o, ok := have.owners[name]; ok {
			keys = append(keys, a.keys.id(o.ID))
		}
		if i, ok := slices.BinarySearchFunc(have.leases, l, lease.Lease.Compare); ok {
			addrs(have.leases[i]) // what it announces so far
		}
	}
	addrs(c.Lease)
	add(c.Lease)
	for _, l := range c.Drop {
		add(l)
	}
	for _, r := range c.Draining {
		add(r.Of)
		add(lease.Lease{Subnets: r.Subnets})
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
