package kube

import (
	"errors"

	"k8s.io/client-go/tools/cache"
)

var _ cache.ReflectorStore = (*watcher)(nil)

var errNameless = errors.New("the server sent a node without a name")

// Replace implements cache.ReflectorStore. It is given all nodes, or none when
// the watch was resumed: see watcher.watch.
func (w *watcher) Replace(nodes []any, version string) error {
	if w.resumed {
		w.sink.live()
		return nil
	}
	w.sink.begin()
	for _, n := range nodes {
		if err := w.Update(n); err != nil {
			return err
		}
	}
	w.sink.end(version)
	w.stale = false
	if w.current != nil { // the list was the beginning of a watch
		w.sink.live()
	}
	return nil
}

// Add implements cache.ReflectorStore.
func (w *watcher) Add(obj any) error { return w.Update(obj) }

// Update implements cache.ReflectorStore.
func (w *watcher) Update(obj any) error {
	n := obj.(*node)
	if n.name == "" {
		return errNameless
	}
	w.sink.put(n)
	return nil
}

// Delete implements cache.ReflectorStore.
func (w *watcher) Delete(obj any) error {
	w.sink.gone(obj.(*node).name)
	return nil
}

// Resync implements cache.ReflectorStore. The sink keeps what it is given.
func (w *watcher) Resync() error { return nil }
