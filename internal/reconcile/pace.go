package reconcile

import "time"

// pace allows burst turns in a row, then one in each interval.
type pace struct {
	burst    float64
	interval time.Duration
}

// tokens are the turns that are left at a pace.
type tokens struct {
	n  float64
	at time.Time // when n was right
}

func (p pace) full(now time.Time) tokens { return tokens{n: p.burst, at: now} }

func (p pace) refill(t *tokens, now time.Time) {
	t.n = min(p.burst, t.n+float64(now.Sub(t.at))/float64(p.interval))
	t.at = now
}

// wait returns the delay until the next turn.
func (p pace) wait(t *tokens, now time.Time) time.Duration {
	if p.refill(t, now); t.n >= 1 {
		return 0
	}
	return max(time.Duration((1-t.n)*float64(p.interval)), time.Millisecond)
}

func (p pace) isFull(t *tokens, now time.Time) bool {
	p.refill(t, now)
	return t.n >= p.burst
}

// take uses a turn, also one that is not due.
func (t *tokens) take() { t.n = max(t.n-1, 0) }
