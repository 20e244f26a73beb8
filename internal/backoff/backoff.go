// Package backoff is the pause between two tries. It does not try anything
// itself.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff waits longer from time to time, within [First, Most], each wait
// shortened by up to half at random so that many hosts do not come at once.
type Backoff struct {
	First, Most time.Duration
	next        time.Duration
}

// UntilBack is for a store that is unreachable.
func UntilBack() Backoff { return Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second} }

// UntilWon is for a lost race, which only needs the others to move on.
func UntilWon() Backoff { return Backoff{First: 2 * time.Millisecond, Most: 200 * time.Millisecond} }

// Reset makes the next wait a short one again.
func (b *Backoff) Reset() { b.next = 0 }

// Next returns how long to wait now.
func (b *Backoff) Next() time.Duration {
	b.next = min(max(2*b.next, b.First), b.Most)
	return b.next/2 + rand.N(b.next/2+1)
}

// Wait returns ctx's error if ctx ends first.
func (b *Backoff) Wait(ctx context.Context) error { return sleep(ctx, b.Next()) }

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
