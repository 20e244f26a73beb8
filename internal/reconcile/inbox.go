package reconcile

import (
	"sync"

	"github.com/weft-net/weft/internal/netstate"
)

// inbox takes events from the watcher until the loop has time for them. More
// than maxPending of them are as good as "look at everything again".
type inbox struct {
	ready chan struct{} // holds a token while events wait

	mu      sync.Mutex
	pending []netstate.Event
}

const maxPending = 4096

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

func (b *inbox) put(e netstate.Event) {
	b.mu.Lock()
	if len(b.pending) == maxPending {
		b.pending = []netstate.Event{{}}
	}
	b.pending = append(b.pending, e)
	b.mu.Unlock()
	ring(b.ready)
}

func (b *inbox) take() []netstate.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.pending
	b.pending = nil
	return all
}

// ring leaves a token in bell unless one is there.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}
