package status

import (
	"sync"

	"github.com/weft-net/weft/internal/api"
)

// Events is the ring of records that a Recorder and its copies share. It is
// safe for concurrent use.
type Events struct {
	mu   sync.Mutex
	ring []api.Event   // up to twice as many as are kept, the last one last
	next int64         // number of the next event, from 1
	bell chan struct{} // holds a token while History has not seen the last event
}

// eventsKept bounds what is kept; at some 300 bytes each.
const eventsKept = 1000

func newEvents() *Events { return &Events{next: 1, bell: make(chan struct{}, 1)} }

func (e *Events) add(event api.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	event.Number = e.next
	e.next++
	e.ring = append(e.ring, event)
	if len(e.ring) >= 2*eventsKept { // copied once for as many events
		e.ring = append(make([]api.Event, 0, 2*eventsKept), e.ring[len(e.ring)-eventsKept:]...)
	}
	select {
	case e.bell <- struct{}{}:
	default:
	}
}

// After returns the events kept whose number is greater than n, oldest first.
func (e *Events) After(n int64) []api.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	kept := min(len(e.ring), eventsKept)
	if newer := e.next - 1 - n; newer < int64(kept) {
		kept = max(0, int(newer))
	}
	return append([]api.Event(nil), e.ring[len(e.ring)-kept:]...)
}

// recall puts the events of an earlier run, in their order, ahead of those of
// this one, whose numbers go on from there.
func (e *Events) recall(earlier []api.Event) {
	if len(earlier) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	last := earlier[len(earlier)-1].Number
	for i := range e.ring {
		e.ring[i].Number += last
	}
	e.next += last
	e.ring = append(earlier[:len(earlier):len(earlier)], e.ring...)
}
