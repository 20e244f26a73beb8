package etcd

import (
	"sync"

	"github.com/weft-net/weft/internal/lease"
)

// written is what this store's Acquire stored last for each lease, by name:
// what Hold is to find there, also while a host announces something new.
type written struct {
	mu      sync.Mutex
	entries map[string]entry
}

// entry is the value of a lease's key and the etcd lease it was attached to.
type entry struct {
	value string
	id    ttlID
}

func (w *written) set(name string, e entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.entries == nil {
		w.entries = map[string]entry{}
	}
	w.entries[name] = e
}

func (w *written) get(name string) (entry, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e, ok := w.entries[name]
	return e, ok
}

// acquired returns the etcd lease that this store's last Acquire attached l to,
// 0 if there was none.
func (s *Store) acquired(l lease.Lease) ttlID {
	e, _ := s.written.get(lease.Key(l.Subnets))
	return e.id
}
