package kube

import (
	"sync"
	"time"
)

// reachability is whether this host can be reached as it announces, and since
// when it is so.
type reachability struct {
	mu      sync.Mutex
	once    bool // it could be reached at least once
	err     error
	since   time.Time
	changed chan struct{}
}

func newReachability() *reachability { return &reachability{changed: make(chan struct{}, 1)} }

// Serving says whether this host can be reached as it announces (nil), or why
// not: the node's condition follows. It returns at once.
func (s *Store) Serving(err error) { s.reach.set(err, time.Now()) }

func (r *reachability) set(err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if (err == nil) != (r.err == nil) || r.since.IsZero() {
		r.since = now
	}
	r.err, r.once = err, r.once || err == nil
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// condition is what the node's condition should be, if it should be anything,
// and the delay until that changes by itself, 0 for never. A host that cannot
// be reached any more gets some time: a device that was removed is back within
// it.
func (r *reachability) condition(now time.Time) (c condition, ok bool, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.once:
		return condition{}, false, 0
	case r.err == nil:
		return networkUp(now), true, 0
	}
	if left := standing - now.Sub(r.since); left > 0 {
		return networkUp(now), true, left
	}
	return networkDown(now, r.err), true, 0
}
