package backoff

import (
	"context"
	"sync"
	"time"
)

// Pace spaces out something that may have to be done again and again, for
// example because another program keeps undoing it: the first time there is no
// pause, and each further time within Calm of the last the pause is longer.
// Safe for concurrent use.
type Pace struct {
	First, Most time.Duration // of the pauses
	Calm        time.Duration // after so long without a turn there is no pause again

	mu    sync.Mutex
	last  time.Time // of the last turn, maybe still to come
	pause Backoff
}

// Next takes a turn and returns after how long it is due.
func (p *Pace) Next() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.last.IsZero() || now.Sub(p.last) > p.Calm {
		p.pause, p.last = Backoff{First: p.First, Most: p.Most}, now
		return 0
	}
	d := p.pause.Next()
	p.last = now.Add(d)
	return d
}

// Wait takes a turn and returns when it is due, or ctx's error.
func (p *Pace) Wait(ctx context.Context) error { return sleep(ctx, p.Next()) }
