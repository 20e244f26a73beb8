package etcd

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/store"
)

// rights is what etcd's users and roles let weft do. A role that suffices for
// flanneld, which reads config and reads and writes below subnets/, suffices:
// weft then goes without its own keys, and by leases alone as flanneld does.
type rights struct {
	mu      sync.Mutex
	now     allowed
	changed chan struct{} // closed when now changes
}

// allowed is what a role grants beyond what is needed.
type allowed struct {
	records bool // reading and writing weft's own keys
	whole   bool // reading from config to the last lease as one range
}

// rightsPause is how long weft does without before it asks etcd again.
var rightsPause = 5 * time.Minute

func newRights() *rights {
	return &rights{now: allowed{records: true, whole: true}, changed: make(chan struct{})}
}

// get returns what is allowed, and a channel that is closed when that changes.
func (r *rights) get() (allowed, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now, r.changed
}

// set reports whether that is a change.
func (r *rights) set(a allowed) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == a {
		return false
	}
	r.now = a
	close(r.changed)
	r.changed = make(chan struct{})
	return true
}

func (s *Store) allowed() allowed {
	a, _ := s.rights.get()
	return a
}

// permitted runs op, and again if it was denied because it uses keys that weft
// can do without and may not use: op heeds what is allowed.
func (s *Store) permitted(ctx context.Context, op func() error) error {
	before := s.allowed()
	err := op()
	if !errors.Is(err, rpctypes.ErrPermissionDenied) {
		return err
	}
	if s.askRights(ctx) != nil || s.allowed() == before {
		return err
	}
	return op()
}

// askRights asks etcd what is allowed. Writes are asked for by a transaction
// whose condition is never true: etcd checks the permissions of all its parts.
func (s *Store) askRights(ctx context.Context) (err error) {
	own := path.Join(s.keys.prefix, ownKeys)
	never := clientv3.Compare(clientv3.Version(own+"/rights"), "<", 0)
	a := allowed{}
	a.records, err = s.may(ctx, func(ctx context.Context, etcd *clientv3.Client) error {
		all := under(own + "/")
		_, err := etcd.Txn(ctx).If(never).Then(
			clientv3.OpGet(all.first, clientv3.WithRange(all.end), clientv3.WithLimit(1)), clientv3.OpPut(own+"/rights", ""),
		).Commit()
		return err
	})
	if err != nil {
		return err
	}
	a.whole, err = s.may(ctx, func(ctx context.Context, etcd *clientv3.Client) error {
		all := s.keys.flannels()
		_, err := etcd.Get(ctx, all.first, clientv3.WithRange(all.end), clientv3.WithLimit(1), clientv3.WithKeysOnly())
		return err
	})
	before := s.allowed()
	if err != nil || !s.rights.set(a) || a.records == before.records {
		return err
	}
	if a.records {
		s.log.Info("etcd permits weft's own records", "keys", own+"/")
	} else {
		s.log.Warn("etcd does not permit weft's own records; going on without them", "keys", own+"/", "user", s.who())
	}
	return nil
}

func (s *Store) may(ctx context.Context, try func(context.Context, *clientv3.Client) error) (bool, error) {
	err := s.call(ctx, "asking for permissions", try)
	if errors.Is(err, rpctypes.ErrPermissionDenied) {
		return false, nil
	}
	return err == nil, err
}

// notes is what status shows of rights that are missing.
func (s *Store) notes(a allowed) []store.Entry {
	if a.records {
		return nil
	}
	own := path.Join(s.keys.prefix, ownKeys)
	return []store.Entry{{Key: ownKeys + "/", Err: fmt.Errorf("%s may not read and write %s/, and weft does without: "+
		"a copy of this host and a second host with its address are not refused, a host whose address changes gets another subnet, "+
		"hosts that start later do not know previous networks that drain, and peers have no names. "+
		"To have all of it: etcdctl role grant-permission ROLE readwrite --prefix=true %s/", s.who(), own, own)}}
}

// spans leaves out weft's own keys unless they are allowed, and parts the
// range of flannel's if need be.
func (s *Store) spans(a allowed, all ...span) []span {
	var out []span
	for _, one := range all {
		switch {
		case !a.records && s.keys.isOwn(one.first):
		case !a.whole && one == s.keys.flannels():
			out = append(out, s.keys.only(s.keys.config()), s.keys.leases())
		default:
			out = append(out, one)
		}
	}
	return out
}

// parts does the same for what is to be read.
func (s *Store) parts(a allowed, all []part) []part {
	var out []part
	for _, p := range all {
		for _, one := range s.spans(a, p.span) {
			out = append(out, part{span: one, take: p.take})
		}
	}
	return out
}

// within leaves out of t what is about weft's own keys, unless that is allowed.
func (s *Store) within(a allowed, t txn) txn {
	if a.records {
		return t
	}
	return txn{
		when: slices.DeleteFunc(slices.Clone(t.when), func(c clientv3.Cmp) bool { return s.keys.isOwn(string(c.KeyBytes())) }),
		then: slices.DeleteFunc(slices.Clone(t.then), func(o clientv3.Op) bool { return s.keys.isOwn(string(o.KeyBytes())) }),
	}
}

// isOwn reports whether a key is weft's own, which flannel does not know.
func (k layout) isOwn(key string) bool {
	return strings.HasPrefix(key, path.Join(k.prefix, ownKeys)+"/")
}

// who names the user for whom etcd decides.
func (c *client) who() string {
	if c.o.Username == "" {
		return "the user that this host's certificate names"
	}
	return fmt.Sprintf("user %q", c.o.Username)
}
