package status

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/weft-net/weft/internal/api"
)

// Recorder is a slog.Handler that keeps the last records at hand for `weft
// events` and passes all on. So what is logged and what the command shows
// are the same by construction.
type Recorder struct {
	slog.Handler
	events *Events
	attrs  string // of With, rendered
}

// Events is the ring of records that a Recorder and its copies share.
type Events struct {
	mu   sync.Mutex
	ring []api.Event
	next int64 // number of the next event, from 1
}

// eventsKept bounds what is kept; at some 200 bytes each.
const eventsKept = 1000

// NewRecorder returns a recorder in front of next, and what it keeps.
func NewRecorder(next slog.Handler) (*Recorder, *Events) {
	events := &Events{next: 1}
	return &Recorder{Handler: next, events: events}, events
}

// Handle implements slog.Handler.
func (r *Recorder) Handle(ctx context.Context, record slog.Record) error {
	if record.Level >= slog.LevelInfo {
		r.events.add(r.event(record))
	}
	if !r.Handler.Enabled(ctx, record.Level) {
		return nil
	}
	return r.Handler.Handle(ctx, record)
}

// attrBy is the attribute that tells which process did what a record speaks of.
const attrBy = "by"

func (r *Recorder) event(record slog.Record) api.Event {
	e := api.Event{At: record.Time, Level: strings.ToLower(record.Level.String()), Message: record.Message}
	var b strings.Builder
	b.WriteString(r.attrs)
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == attrBy {
			e.By = a.Value.String()
		}
		render(&b, a)
		return true
	})
	e.Detail = strings.TrimSpace(b.String())
	return e
}

// Enabled implements slog.Handler: what is not logged may be kept.
func (r *Recorder) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || r.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (r *Recorder) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(r.attrs)
	for _, a := range attrs {
		render(&b, a)
	}
	return &Recorder{Handler: r.Handler.WithAttrs(attrs), events: r.events, attrs: b.String()}
}

// WithGroup implements slog.Handler.
func (r *Recorder) WithGroup(name string) slog.Handler {
	return &Recorder{Handler: r.Handler.WithGroup(name), events: r.events, attrs: r.attrs}
}

func render(b *strings.Builder, a slog.Attr) {
	value := a.Value.Resolve().String()
	if strings.ContainsAny(value, " \t\n\"") {
		value = fmt.Sprintf("%q", value)
	}
	fmt.Fprintf(b, " %s=%s", a.Key, value)
}

func (e *Events) add(event api.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	event.Number = e.next
	e.next++
	if len(e.ring) < eventsKept {
		e.ring = append(e.ring, event)
		return
	}
	e.ring[(event.Number-1)%eventsKept] = event
}

// After returns the events kept whose number is greater than n, oldest first.
func (e *Events) After(n int64) []api.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	from := max(n+1, e.next-int64(len(e.ring)))
	var out []api.Event
	for ; from < e.next; from++ {
		out = append(out, e.ring[(from-1)%eventsKept])
	}
	return out
}
