package etcd

import "sync"

// written is what this store's Acquire stored last for each lease, by name:
// what Hold is to find there, also while a host announces something new.
type written struct {
	mu     sync.Mutex
	values map[string]string
}

func (w *written) set(name, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.values == nil {
		w.values = map[string]string{}
	}
	w.values[name] = value
}

func (w *written) get(name string) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	value, ok := w.values[name]
	return value, ok
}
