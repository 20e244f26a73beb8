package etcd

import (
	"context"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/view"
)

// feed is where a follower's two sides meet: one takes in events as they
// come, the other takes out whole snapshots as fast as it likes.
type feed struct {
	mu    sync.Mutex
	view  *view.View
	dirty bool   // the view has changed since it was last taken out
	err   error  // the outage, nil while all is well
	told  string // the outage the reader knows of
	bell  chan struct{}
}

func newFeed() *feed { return &feed{bell: make(chan struct{}, 1)} }

// next waits for something the reader does not know yet.
func (f *feed) next(ctx context.Context) (store.Update, error) {
	for {
		if u, ok := f.take(); ok && ctx.Err() == nil {
			return u, nil
		}
		select {
		case <-ctx.Done():
			return store.Update{}, ctx.Err()
		case <-f.bell:
		}
	}
}

func (f *feed) take() (store.Update, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.dirty:
		f.dirty, f.told = false, ""
		s := f.view.Snapshot()
		f.ring() // an outage may wait behind it
		return store.Update{Snapshot: &s}, true
	case f.err != nil && f.err.Error() != f.told:
		f.told = f.err.Error()
		return store.Update{Err: f.err}, true
	}
	return store.Update{}, false
}

func (f *feed) ring() {
	select {
	case f.bell <- struct{}{}:
	default:
	}
}

func (f *feed) replace(v *view.View) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.view, f.dirty, f.err = v, true, nil
	f.ring()
}

func (f *feed) apply(s *Store, events []*mvccpb.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		changed := false
		if e.Type == clientv3.EventTypeDelete {
			changed = f.view.Delete(s.keys.below(e.Kv.Key), e.Kv.ModRevision)
		} else {
			changed = f.view.Put(s.item(e.Kv))
		}
		f.dirty = f.dirty || changed
	}
	if f.dirty {
		f.ring()
	}
}

func (f *feed) down(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	f.ring()
}

// up ends an outage; a reader who knows of it gets a snapshot to say so.
func (f *feed) up() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = nil
	if f.told != "" {
		f.dirty = true
		f.ring()
	}
}
