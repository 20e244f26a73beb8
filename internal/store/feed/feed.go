// Package feed is where the two sides of a store's Follow meet: one takes in
// changes as they come, the other takes out whole snapshots as fast as it
// likes. It knows nothing of what is stored, nor of how it got here.
package feed

import (
	"context"
	"sync"

	"github.com/weft-net/weft/internal/store"
)

// Content is what a feed makes snapshots of. The feed calls it, and Change's
// function, under its lock.
type Content interface{ Snapshot() store.Snapshot }

// Feed hands on the newest snapshot and the news of outages. Safe for
// concurrent use, by one reader.
type Feed struct {
	mu      sync.Mutex
	content Content
	dirty   bool   // the content has changed since it was last taken out
	err     error  // the outage, nil while all is well
	told    string // the outage the reader knows of
	bell    chan struct{}
}

// New returns a feed that has nothing to say yet.
func New() *Feed { return &Feed{bell: make(chan struct{}, 1)} }

// Next waits for something the reader does not know yet. The error is ctx's.
func (f *Feed) Next(ctx context.Context) (store.Update, error) {
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

func (f *Feed) take() (store.Update, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// A snapshot ends an outage that was told, so it waits for the end.
	silent := f.err != nil && f.told != ""
	switch {
	case f.dirty && f.content != nil && !silent:
		f.dirty, f.told = false, ""
		s := f.content.Snapshot()
		f.ring() // an outage may wait behind it
		return store.Update{Snapshot: &s}, true
	case f.err != nil && f.err.Error() != f.told:
		f.told = f.err.Error()
		return store.Update{Err: f.err}, true
	}
	return store.Update{}, false
}

func (f *Feed) ring() {
	select {
	case f.bell <- struct{}{}:
	default:
	}
}

// Replace makes c the content, and ends an outage.
func (f *Feed) Replace(c Content) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.content, f.dirty, f.err = c, true, nil
	f.ring()
}

// Change runs change, which alters the content and tells whether a snapshot
// shows that.
func (f *Feed) Change(change func() bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if change() {
		f.dirty = true
		f.ring()
	}
}

// Down begins an outage, or changes its reason.
func (f *Feed) Down(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	f.ring()
}

// Missing is Down if there is no content yet.
func (f *Feed) Missing(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.content == nil && f.err == nil {
		f.err = err
		f.ring()
	}
}

// Up ends an outage; a reader who knows of it gets a snapshot to say so.
func (f *Feed) Up() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = nil
	if f.told != "" {
		f.dirty = true
		f.ring()
	}
}
