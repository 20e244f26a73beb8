package backoff_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/backoff"
)

func TestAPaceGrowsUntilThereIsCalm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := backoff.Pace{First: time.Second, Most: 8 * time.Second, Calm: time.Minute}
		took := func() time.Duration {
			begin := time.Now()
			if err := p.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			return time.Since(begin)
		}
		for round := range 2 {
			for i, most := range []time.Duration{0, 1, 2, 4, 8, 8} {
				most *= time.Second
				if d := took(); d < most/2 || d > most {
					t.Errorf("round %d, turn %d: waited %v, want %v to %v", round, i, d, most/2, most)
				}
			}
			time.Sleep(2 * time.Minute) // of the bubble's clock
		}
	})
}

func TestAPaceEndsWithItsContext(t *testing.T) {
	p := backoff.Pace{First: time.Hour, Most: time.Hour, Calm: time.Hour}
	ctx, cancel := context.WithCancel(t.Context())
	if err := p.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}
