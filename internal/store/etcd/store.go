package etcd

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/weft-net/weft/internal/store"
)

// Store is one network's config and leases in etcd.
type Store struct {
	*client
	keys    layout
	log     *slog.Logger
	written written
	expires atomic.Pointer[time.Time] // when the held lease ends

	rights   *rights
	refusals refusals
	sessions *sessions
}

var (
	_ store.Store = (*Store)(nil)
	_ store.Timer = (*Store)(nil)

	_ store.Expirer = (*Store)(nil)
)

// Open checks o, with the files it names, and returns the store. etcd need
// not be reachable yet: every call tries, and says so when it is not.
func Open(_ context.Context, o Options) (store.Store, error) {
	o = o.withDefaults()
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	return &Store{client: c, keys: layout{prefix: o.Prefix}, log: o.Log, rights: newRights(), sessions: newSessions()}, nil
}

// Waiting says for which etcd a call waits, and why, "" if there is a connection
// to one.
func (s *Store) Waiting() string {
	why, failed := s.trail.cause()
	if failed < len(s.urls) {
		return ""
	}
	return (&outageError{where: why}).Waiting()
}

// Expires implements store.Expirer.
func (s *Store) Expires() time.Time {
	if at := s.expires.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// endsIn notes that the held lease ends after that time, 0: never.
func (s *Store) endsIn(left time.Duration) {
	var at time.Time
	if left > 0 {
		at = time.Now().Add(left)
	}
	s.expires.Store(&at)
}

// Redial implements store.Store.
func (s *Store) Redial() { s.lines.cut() }

// Close ends all calls and the connection.
func (s *Store) Close() error { return s.close() }
