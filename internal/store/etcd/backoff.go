package etcd

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff waits longer from time to time, within [first, most], each wait
// shortened by up to half at random so that many hosts do not come at once.
type backoff struct {
	first, most time.Duration
	next        time.Duration
}

// untilBack is for a store that is out of reach.
func untilBack() backoff { return backoff{first: 100 * time.Millisecond, most: 5 * time.Second} }

// untilWon is for a lost race, which only needs the others to move on.
func untilWon() backoff { return backoff{first: 2 * time.Millisecond, most: 200 * time.Millisecond} }

func (b *backoff) reset() { b.next = 0 }

// wait returns ctx's error if ctx ends first.
func (b *backoff) wait(ctx context.Context) error {
	b.next = min(max(2*b.next, b.first), b.most)
	timer := time.NewTimer(jitter(b.next))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// jitter returns something within [d/2, d].
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1)
}
