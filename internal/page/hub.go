package page

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/api"
)

// How often agents are asked while somebody watches, and how long for an
// answer. An asking that takes long is followed by a pause of so many times that.
const (
	lookPause = time.Second
	lookShare = 5
	askLimit  = 5 * time.Second
)

// message is one of the stream to a browser.
type message struct {
	name string
	data []byte
}

// hub asks the agents while somebody watches, and tells those who watch what
// has changed.
type hub struct {
	source Source

	mu      sync.Mutex
	last    Fabric
	known   bool // last is a picture
	events  []namedEvent
	after   map[string]heard // by host
	watch   map[chan message]bool
	trouble string
	wake    chan struct{}
}

// heard is the last event that an agent has told, and which run of it that was: after
// a loss of its state directory numbers begin anew.
type heard struct {
	number  int64
	started time.Time
}

// namedEvent is an event with the host whose agent told it.
type namedEvent struct {
	Host string `json:"host"`
	api.Event
}

// eventsKept is how many events a browser gets that opens the page.
const eventsKept = 5000

func newHub(s Source) *hub {
	return &hub{source: s, after: map[string]heard{}, watch: map[chan message]bool{}, wake: make(chan struct{}, 1)}
}

// join returns what a new watcher starts with, and the channel of what follows.
// A watcher that is too slow for the channel is closed out and starts again.
func (h *hub) join() ([]message, chan message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := make(chan message, 64)
	h.watch[c] = true
	var first []message
	if h.known {
		first = append(first, encode("fabric", h.last))
	}
	if len(h.events) > 0 {
		first = append(first, encode("events", h.events))
	}
	if h.trouble != "" {
		first = append(first, encode("trouble", h.trouble))
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
	return first, c
}

func (h *hub) leave(c chan message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watch, c)
}

// run asks until ctx ends.
func (h *hub) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		case <-timer.C:
		}
		if !h.watched() {
			continue // join wakes it
		}
		start := time.Now()
		h.look(ctx)
		timer.Reset(max(lookPause, lookShare*time.Since(start)))
	}
}

func (h *hub) watched() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watch) > 0
}

// look asks all agents once.
func (h *hub) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	agents, err := h.source.Agents(ctx)
	if err != nil {
		h.complain(ctx, err)
		return
	}
	reports, news := h.ask(ctx, agents)
	if len(reports) > 0 && reports[0].Err != nil {
		h.complain(ctx, reports[0].Err)
		if h.source.Lab == nil {
			return // what others say is not the picture from here
		}
	}
	next := Merge(reports)
	if h.source.Lab != nil {
		if cables, err := h.source.Lab.Cables(); err == nil {
			next.Head.Lab = &cables
		} else {
			h.complain(ctx, err)
			return
		}
	}
	h.tell(next, news, len(reports) == 0 || reports[0].Err == nil)
}

// ask asks all agents at the same time.
func (h *hub) ask(ctx context.Context, agents []Agent) ([]Report, []namedEvent) {
	reports, lists := make([]Report, len(agents)), make([][]api.Event, len(agents))
	var all sync.WaitGroup
	for i, a := range agents {
		h.mu.Lock()
		after := h.after[a.Host]
		h.mu.Unlock()
		all.Go(func() {
			r := &reports[i]
			r.Host, r.ID = a.Host, a.ID
			if r.Status, r.Err = a.Status(ctx); r.Err != nil {
				return
			}
			number := after.number
			if !r.Status.Started.Equal(after.started) {
				number = 0 // those that are known already are told once more, and browsers know them
			}
			lists[i], _ = a.Events(ctx, number) // asked again in a second
		})
	}
	all.Wait()
	var news []namedEvent
	for i, list := range lists {
		for _, e := range list {
			news = append(news, namedEvent{nameOf(reports[i]), e})
		}
		if n := len(list); n > 0 {
			h.mu.Lock()
			h.after[agents[i].Host] = heard{list[n-1].Number, reports[i].Status.Started}
			h.mu.Unlock()
		}
	}
	return reports, news
}

// complain tells why there is no new picture, once for as long as it is the same.
func (h *hub) complain(ctx context.Context, err error) {
	if ctx.Err() != nil && context.Cause(ctx) == context.Canceled {
		return // the server ends
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if text := err.Error(); text != h.trouble {
		h.trouble = text
		h.send(encode("trouble", text))
	}
}

// tell takes over a new picture.
func (h *hub) tell(next Fabric, news []namedEvent, well bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if well && h.trouble != "" {
		h.trouble = ""
		h.send(encode("trouble", ""))
	}
	if !h.known {
		h.send(encode("fabric", next))
	} else if p := diff(h.last, next); !p.empty() {
		h.send(encode("patch", p))
	}
	h.last, h.known = next, true
	if len(news) > 0 {
		h.events = append(h.events, news...)
		h.events = h.events[max(0, len(h.events)-eventsKept):]
		h.send(encode("events", news))
	}
}

// send wants h.mu held.
func (h *hub) send(m message) {
	for c := range h.watch {
		select {
		case c <- m:
		default:
			delete(h.watch, c)
			close(c)
		}
	}
}

func encode(name string, v any) message {
	data, err := json.Marshal(v)
	if err != nil {
		return message{"trouble", fmt.Appendf(nil, "%q", err)}
	}
	return message{name, data}
}
