package agent

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/weft-net/weft/internal/api"
)

// journal is a slog.Handler that keeps the last records at hand for `weft
// events` and passes all on. So what is logged and what the command shows
// are the same by construction.
type journal struct {
	slog.Handler
	pages *pages
	attrs string // of With, rendered
}

// pages is the ring of records that a journal and its copies share.
type pages struct {
	mu   sync.Mutex
	ring []api.Event
	next int64 // number of the next event, from 1
}

// journalSize bounds what is kept; at some 200 bytes each.
const journalSize = 1000

func newJournal(next slog.Handler) *journal {
	return &journal{Handler: next, pages: &pages{next: 1}}
}

// Handle implements slog.Handler.
func (j *journal) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo {
		j.pages.add(j.event(r))
	}
	if !j.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return j.Handler.Handle(ctx, r)
}

// attrBy is the attribute that tells which process did what a record speaks of.
const attrBy = "by"

func (j *journal) event(r slog.Record) api.Event {
	e := api.Event{At: r.Time, Level: strings.ToLower(r.Level.String()), Message: r.Message}
	var b strings.Builder
	b.WriteString(j.attrs)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == attrBy {
			e.By = a.Value.String()
		}
		render(&b, a)
		return true
	})
	e.Detail = strings.TrimSpace(b.String())
	return e
}

// Enabled implements slog.Handler: the journal wants to know even what is not
// logged.
func (j *journal) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || j.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (j *journal) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(j.attrs)
	for _, a := range attrs {
		render(&b, a)
	}
	return &journal{Handler: j.Handler.WithAttrs(attrs), pages: j.pages, attrs: b.String()}
}

// WithGroup implements slog.Handler.
func (j *journal) WithGroup(name string) slog.Handler {
	return &journal{Handler: j.Handler.WithGroup(name), pages: j.pages, attrs: j.attrs}
}

func render(b *strings.Builder, a slog.Attr) {
	value := a.Value.Resolve().String()
	if strings.ContainsAny(value, " \t\n\"") {
		value = fmt.Sprintf("%q", value)
	}
	fmt.Fprintf(b, " %s=%s", a.Key, value)
}

func (p *pages) add(e api.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.Number = p.next
	p.next++
	if len(p.ring) < journalSize {
		p.ring = append(p.ring, e)
		return
	}
	p.ring[(e.Number-1)%journalSize] = e
}

// after returns the events kept whose number is greater than n, oldest first.
func (p *pages) after(n int64) []api.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	from := max(n+1, p.next-int64(len(p.ring)))
	var out []api.Event
	for ; from < p.next; from++ {
		out = append(out, p.ring[(from-1)%journalSize])
	}
	return out
}
