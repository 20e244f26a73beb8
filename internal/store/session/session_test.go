package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/store/session"
)

// run is one session of a script: how long it lasts once it is ready, and why
// it ends.
type run struct {
	fails    bool // is never ready
	lasts    time.Duration
	delivers bool
	err      error
}

var (
	errRefused = errors.New("refused")
	errBroken  = errors.New("broken")
	errFinal   = errors.New("final")
)

// play runs a script and returns what was reported and the pauses.
func play(t *testing.T, script ...run) (reports []string, pauses []time.Duration) {
	ended := time.Now()
	l := &session.Loop{
		Final: func(err error) bool { return errors.Is(err, errFinal) },
		Down:  func(err error) { reports = append(reports, "down: "+err.Error()) },
		Up:    func() { reports = append(reports, "up") },
	}
	l.Run = func(ctx context.Context, s *session.Session) error {
		pauses = append(pauses, time.Since(ended))
		if len(script) == 0 {
			return errFinal
		}
		r := script[0]
		script = script[1:]
		if !r.fails {
			s.Ready()
			s.Ready() // says no more than once
		}
		if r.delivers {
			s.Delivered()
		}
		time.Sleep(r.lasts) // of the bubble's clock
		ended = time.Now()
		return r.err
	}
	if err := l.Keep(t.Context()); !errors.Is(err, errFinal) {
		t.Errorf("Keep returned %v", err)
	}
	return reports, pauses[1:]
}

func TestAnOutageIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := run{fails: true, err: errRefused}
		got, _ := play(t, run{lasts: time.Hour, err: errBroken}, refused, refused, run{fails: true, err: errBroken}, refused,
			run{lasts: time.Hour, err: errBroken}, run{lasts: time.Hour, err: errBroken})
		want := []string{"down: refused", "down: broken", "down: refused", "up"}
		if !slices.Equal(got, want) {
			t.Errorf("reported %q, want %q", got, want)
		}
	})
}

func TestPausesGrowUntilASessionHasLasted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short := run{lasts: time.Second, err: errBroken}
		script := append(slices.Repeat([]run{short}, 12), run{lasts: session.Proof, err: errBroken}, short)
		got, pauses := play(t, script...)
		for i, p := range pauses[:12] {
			if most := min(100*time.Millisecond<<i, time.Minute); p < most/2 || p > most {
				t.Errorf("pause %d is %v, want up to %v", i, p, most)
			}
		}
		if p := pauses[12]; p > 100*time.Millisecond {
			t.Errorf("after a session that lasted the pause is %v", p)
		}
		if want := []string{"down: the connection breaks off again and again: broken", "up"}; !slices.Equal(got, want) {
			t.Errorf("reported %q, want %q", got, want)
		}
	})
}

func TestNewsEndAnOutageAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short := run{lasts: time.Second, err: errBroken}
		got, _ := play(t, short, short, short, short, run{lasts: time.Second, delivers: true, err: errBroken})
		down := fmt.Sprintf("down: the connection breaks off again and again: %v", errBroken)
		if want := []string{down, "up", down}; !slices.Equal(got, want) {
			t.Errorf("reported %q, want %q", got, want)
		}
	})
}

func TestKeepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		l := &session.Loop{
			Run:  func(context.Context, *session.Session) error { return errRefused },
			Down: func(error) {},
			Up:   func() {},
		}
		if err := l.Keep(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Keep returned %v", err)
		}
	})
}
