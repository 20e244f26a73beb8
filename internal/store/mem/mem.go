// Package mem is a store in memory for tests: the same behaviour as etcd's,
// held to it by storetest, with handles to break it. Stores made by Client
// share one content, like hosts that use one etcd. It keeps flannel's keys and
// values as they are written, so that bad ones can be put in. Time comes from
// package time, so it works inside testing/synctest.
package mem

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/view"
)

// leaseTTL is flannel's.
const leaseTTL = 24 * time.Hour

// Store is one client's view of a shared content.
type Store struct {
	*content
	broken  error             // under content.mu: what every call of this client returns
	written map[string][]byte // under content.mu: what this client's Acquire stored last, by name
	held    map[string]bool   // under content.mu: sessions that had a lease through this client
	ended   []lease.Owner     // under content.mu: sessions that have ended
}

var _ store.Store = (*Store)(nil)

// content is what all clients share.
type content struct {
	mu       sync.Mutex
	revision int64
	keys     map[string]*entry // flannel's and those of former networks, below the prefix
	owners   map[string]lease.Owner
	reserved map[string]bool // the leases of owners that were reserved by weft
	holders  map[*holder]bool
	changed  chan struct{} // closed and replaced at every change
}

type entry struct {
	value    []byte
	revision int64
	ends     time.Time   // zero: never
	timer    *time.Timer // deletes it then
}

// New returns an empty store.
func New() *Store {
	return client(&content{
		revision: 1,
		keys:     map[string]*entry{},
		owners:   map[string]lease.Owner{},
		reserved: map[string]bool{},
		holders:  map[*holder]bool{},
		changed:  make(chan struct{}),
	})
}

func client(c *content) *Store {
	return &Store{content: c, written: map[string][]byte{}, held: map[string]bool{}}
}

// Client returns another client of the same content, not broken.
func (s *Store) Client() *Store { return client(s.content) }

// Break makes every call fail with err, and Follow report it, until Mend.
func (s *Store) Break(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
	s.notify()
}

// Mend ends what Break began.
func (s *Store) Mend() { s.Break(nil) }

// Expire lets the time of a lease run out now.
func (s *Store) Expire(subnets ...netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(lease.Key(subnets))
}

// Put stores a key of flannel's ("config", "subnets/10.1.2.0-24") as some
// other program might; without an end if ttl is 0.
func (s *Store) Put(key string, value []byte, ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, value, ttl)
}

// Clear removes everything, as when a cluster is set up anew.
func (s *Store) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.keys {
		s.stop(key)
	}
	clear(s.keys)
	clear(s.owners)
	clear(s.reserved)
	s.revision++
	s.notify()
}

// Redial does nothing: there is no connection.
func (s *Store) Redial() {}

// Close does nothing: the content belongs to all clients.
func (s *Store) Close() error { return nil }

// The functions below want c.mu held.

func (c *content) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *content) put(key string, value []byte, ttl time.Duration) {
	c.stop(key)
	c.revision++
	e := &entry{value: value, revision: c.revision}
	c.keys[key] = e
	if ttl > 0 {
		e.ends = time.Now().Add(ttl)
		e.timer = time.AfterFunc(ttl, func() { c.expire(key, e) })
	}
	c.notify()
}

// expire runs when e's time is over; it may have been replaced just before.
func (c *content) expire(key string, e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys[key] == e {
		c.remove(strings.TrimPrefix(key, view.Subnets))
	}
}

// renew gives e its full time again, which followers do not see.
func (e *entry) renew() {
	if e.timer != nil {
		e.ends = time.Now().Add(leaseTTL)
		e.timer.Reset(leaseTTL)
	}
}

// remove deletes the lease with this name and its owner's record.
func (c *content) remove(name string) bool {
	delete(c.owners, name)
	delete(c.reserved, name)
	c.drop(view.Former + name)
	c.drop(view.Hosts + name)
	return c.drop(view.Subnets + name)
}

// drop deletes a key and tells whether it was there.
func (c *content) drop(key string) bool {
	if _, ok := c.keys[key]; !ok {
		return false
	}
	c.stop(key)
	delete(c.keys, key)
	c.revision++
	c.notify()
	return true
}

func (c *content) stop(key string) {
	if e := c.keys[key]; e != nil && e.timer != nil {
		e.timer.Stop()
	}
}

func (c *content) items() []view.Item {
	out := make([]view.Item, 0, len(c.keys))
	for key, e := range c.keys {
		out = append(out, view.Item{Key: key, Value: e.value, Revision: e.revision, Reserved: e.ends.IsZero()})
	}
	return out
}

func (c *content) snapshot() store.Snapshot {
	return view.New(c.revision, c.items()).Snapshot()
}
