package lab

import (
	"fmt"
	"slices"
	"time"
)

// Tally is the outcome of a series of pings.
type Tally struct {
	Sent     int
	Received int           // replies, each counted once
	Gap      time.Duration // the longest time between two replies
	SendErr  error         // the first refusal to send; such pings count as sent and lost

	LostFrom, LostTo time.Duration // when the first and the last ping without an answer were sent, since the first of all
}

// lost notes when pings were sent that nobody answered, of a series that began at first.
func (t *Tally) lost(open map[uint64]time.Time, first time.Time) {
	var at []time.Duration
	for _, sent := range open {
		at = append(at, sent.Sub(first))
	}
	if len(at) > 0 {
		t.LostFrom, t.LostTo = slices.Min(at), slices.Max(at)
	}
}

// Lost is the number of pings that nobody answered.
func (t Tally) Lost() int { return t.Sent - t.Received }

// Err is nil if every ping was answered, and if there was one.
func (t Tally) Err() error {
	switch {
	case t.Sent == 0:
		return fmt.Errorf("no ping was sent")
	case t.Lost() == 0:
		return nil
	case t.SendErr != nil:
		return fmt.Errorf("%d of %d pings lost: %w", t.Lost(), t.Sent, t.SendErr)
	default:
		return fmt.Errorf("%d of %d pings lost, sent from %s to %s after the first", t.Lost(), t.Sent,
			t.LostFrom.Round(time.Millisecond), t.LostTo.Round(time.Millisecond))
	}
}
