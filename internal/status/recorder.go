package status

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/event"
)

// Recorder is a slog.Handler that keeps the last records at hand for `weft
// events` and passes all on. So what is logged and what the command shows
// are the same by construction.
type Recorder struct {
	slog.Handler
	events *Events
	attrs  []slog.Attr // of With
}

// NewRecorder returns a recorder in front of next, and what it keeps.
func NewRecorder(next slog.Handler) (*Recorder, *Events) {
	events := newEvents()
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
	return r.Handler.Handle(ctx, withoutKind(record))
}

// withoutKind returns the record as it is logged.
func withoutKind(record slog.Record) slog.Record {
	out := slog.NewRecord(record.Time, record.Level, record.Message, record.PC)
	record.Attrs(func(a slog.Attr) bool {
		if a.Key != event.Attr {
			out.AddAttrs(a)
		}
		return true
	})
	return out
}

// event returns what is kept of a record.
func (r *Recorder) event(record slog.Record) api.Event {
	e := api.Event{At: record.Time, Level: strings.ToLower(record.Level.String()), Kind: event.Other, Message: record.Message}
	for _, a := range r.attrs {
		set(&e, a)
	}
	record.Attrs(func(a slog.Attr) bool {
		set(&e, a)
		return true
	})
	return e
}

func set(e *api.Event, a slog.Attr) {
	value := a.Value.Resolve()
	if field := e.Field(a.Key); field != nil {
		*field = value.String()
		return
	}
	switch {
	case a.Key == event.Attr:
		e.Kind = event.Kind(value.String())
	case a.Key == "more" && value.Kind() == slog.KindInt64:
		e.More = int(value.Int64())
	default:
		if e.Fields == nil {
			e.Fields = map[string]string{}
		}
		e.Fields[a.Key] = value.String()
	}
}

// Enabled implements slog.Handler: what is not logged may be kept.
func (r *Recorder) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || r.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (r *Recorder) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Recorder{Handler: r.Handler.WithAttrs(attrs), events: r.events, attrs: slices.Concat(r.attrs, attrs)}
}

// WithGroup implements slog.Handler.
func (r *Recorder) WithGroup(name string) slog.Handler {
	return &Recorder{Handler: r.Handler.WithGroup(name), events: r.events, attrs: r.attrs}
}
