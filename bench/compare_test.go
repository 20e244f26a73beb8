package main

import (
	"errors"
	"testing"
	"time"
)

func TestRatioIsOfRoundsNotOfMedians(t *testing.T) {
	var c comparison
	// The machine was slow in the last two rounds.
	for _, rates := range [][2]float64{{100, 80}, {200, 160}, {50, 40}, {20, 16}, {10, 8}} {
		c.add(noRules, rates[0])
		c.add(weftRules, rates[1])
	}
	if got := c.ratio(weftRules, noRules); got != 0.8 {
		t.Errorf("ratio = %v; every round says 0.8", got)
	}
	if got := c.rate(noRules); got != 50 {
		t.Errorf("rate = %v; want the median, 50", got)
	}
}

func TestPaceEndsWithTheFirstError(t *testing.T) {
	lost := errors.New("lost")
	steps := 0
	_, err := pace(time.Hour, func() error {
		steps++
		if steps == 3 {
			return lost
		}
		return nil
	})
	if !errors.Is(err, lost) || steps != 3 {
		t.Errorf("pace: %v after %d steps", err, steps)
	}
}
