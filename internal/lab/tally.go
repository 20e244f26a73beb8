package lab

import (
	"fmt"
	"time"
)

// Tally is the outcome of a series of pings.
type Tally struct {
	Sent     int
	Received int           // replies, each counted once
	Gap      time.Duration // the longest time between two replies
	SendErr  error         // the first refusal to send; such pings count as sent and lost
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
		return fmt.Errorf("%d of %d pings lost", t.Lost(), t.Sent)
	}
}
