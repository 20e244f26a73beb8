package etcd

import (
	"context"
	"errors"
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
	owners   map[string]lease.Owner      // by lease.Key
	stored   map[string]*mvccpb.KeyValue // the keys that a choice is about; see load
}

// key returns what is stored under a full key, nil if nothing is.
func (c contents) key(key string) *mvccpb.KeyValue { return c.stored[key] }

// contents reads all leases and their owners.
func (s *Store) contents(ctx context.Context) (contents, error) {
	var c contents
	var unsure map[string]int // leases without a time to live, by name
	header, err := s.read(ctx, "reading leases and owners", func() []part {
		c, unsure = contents{owners: map[string]lease.Owner{}}, map[string]int{}
		return []part{
			{s.keys.leases(), func(kv *mvccpb.KeyValue) {
				l, ok := view.Occupying(s.item(kv))
				if !ok {
					return
				}
				if l.Reserved {
					unsure[lease.Key(l.Subnets)] = len(c.leases)
				}
				c.leases = append(c.leases, l)
			}},
			{s.keys.owners(), func(kv *mvccpb.KeyValue) {
				name := strings.TrimPrefix(string(kv.Key), s.keys.owner(""))
				o, err := parseOwner(kv)
				if err != nil {
					s.log.Warn("an owner's record cannot be read and is ignored", "error", err)
					return
				}
				c.owners[name] = o
				// A lease that another program than weft stored without a time
				// to live is no reservation: its host's record has one.
				if i, ok := unsure[name]; ok && ttlOf(kv) != 0 {
					c.leases[i].Reserved = false
				}
			}},
		}
	})
	if err != nil {
		return contents{}, err
	}
	c.revision = header.Revision
	slices.SortFunc(c.leases, lease.Lease.Compare)
	return c, nil
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
	for _, r := range c.Rest {
		add(r.Of)
		add(lease.Lease{Subnets: r.Subnets})
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
