package etcd

import (
	"context"
	"log/slog"

	"github.com/weft-net/weft/internal/store"
)

// Store is one network's config and leases in etcd.
type Store struct {
	*client
	keys    layout
	log     *slog.Logger
	written written

	rights   *rights
	refusals refusals
	sessions *sessions
}

var (
	_ store.Store = (*Store)(nil)
	_ store.Timer = (*Store)(nil)
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

// Redial implements store.Store.
func (s *Store) Redial() { s.lines.cut() }

// Close ends all calls and the connection.
func (s *Store) Close() error { return s.close() }
