package backoff

import (
	"context"
	"sync"
	"time"
)

// Pace spaces out something that may have to be done again and again, for
// example because another program keeps undoing it: the first time there is no
// pause, and each further time within Calm of the last the pause is longer.
// Safe for concurrent use, which takes turns.
type Pace struct {
	First, Most time.Duration // of the pauses
	Calm        time.Duration // after so long without a turn there is no pause again

	mu    sync.Mutex
	last  time.Time
	pause Backoff
}

// Wait returns when it is time for a turn, or ctx's error.
func (p *Pace) Wait(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.last = time.Now() }()
	if p.last.IsZero() || time.Since(p.last) > p.Calm {
		p.pause = Backoff{First: p.First, Most: p.Most}
		return ctx.Err()
	}
	return p.pause.Wait(ctx)
}
