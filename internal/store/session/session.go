// Package session is the one loop by which followers and holders stay
// connected to a store's server: it runs one session after another, pauses
// between them, and reports an outage once. It knows nothing of what a session
// carries, and must not decide what is read or written.
//
// A session has to prove itself. The pauses grow until one has lasted for
// Proof, so a server that accepts sessions and ends them at once is asked about
// once a minute after a while, and is reported as an outage, too.
package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/backoff"
)

// Proof is how long a session has to last for the next pause to be a short one
// again.
const Proof = 10 * time.Second

// tolerated is how many sessions in a row may break off sooner before that is
// an outage: a server that restarts ends one or two.
const tolerated = 2

// Loop keeps a session with a server. Down and Up are called one at a time and
// must return soon.
type Loop struct {
	// Run is one session. It returns when the session breaks off, or for a
	// reason that ends the loop.
	Run func(context.Context, *Session) error
	// Final reports whether an error of Run ends the loop. Nil: none does.
	Final func(error) bool
	// Down is called when an outage begins and when its reason changes.
	Down func(error)
	// Up is called when an outage that Down was called for is over.
	Up func()

	mu     sync.Mutex
	reason string // of the outage that Down was called for last; "" if there is none
	short  int    // sessions in a row that were ready and did not last
}

// Keep runs sessions until ctx ends, and returns its error, or until Final.
func (l *Loop) Keep(ctx context.Context) error {
	pause, brief := backoff.UntilBack(), breaksOff()
	for {
		s := &Session{loop: l}
		err := l.Run(ctx, s)
		proven, next := s.end(), &pause
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case l.Final != nil && l.Final(err):
			return err
		case proven:
			pause.Reset()
			brief.Reset()
			l.short = 0
		case s.isReady:
			next = &brief
			if l.short++; l.short > tolerated {
				l.down(fmt.Errorf("the connection breaks off again and again: %w", err))
			}
		default:
			l.down(err)
		}
		if err := next.Wait(ctx); err != nil {
			return err
		}
	}
}

// breaksOff is the pause after sessions that do not last. A server that begins
// them has work with each, for example to send everything that it holds, so it
// is asked more rarely in the end than one that cannot be reached.
func breaksOff() backoff.Backoff {
	return backoff.Backoff{First: 100 * time.Millisecond, Most: time.Minute}
}

func (l *Loop) down(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if text := err.Error(); text != l.reason {
		l.reason = text
		l.Down(err)
	}
}

func (l *Loop) up() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason != "" {
		l.reason = ""
		l.Up()
	}
}

// Session is what one run reports of itself. It is for the goroutine of Run.
type Session struct {
	loop    *Loop
	isReady bool
	since   time.Time
	proof   *time.Timer   // reports the end of an outage; nil if that need not wait
	fired   chan struct{} // closed by proof
}

// Ready says that the server answers and that the session can do its work. It
// ends an outage, but if that consists in sessions that do not last, only when
// this one does.
func (s *Session) Ready() {
	if s.isReady {
		return
	}
	s.isReady, s.since = true, time.Now()
	if s.loop.short <= tolerated {
		s.loop.up()
		return
	}
	s.fired = make(chan struct{})
	s.proof = time.AfterFunc(Proof, func() { defer close(s.fired); s.loop.up() })
}

// Delivered says that something came which is news to the user of the session:
// whatever the session's fate, there is no outage at this moment.
func (s *Session) Delivered() {
	s.Ready()
	s.loop.up()
}

// end reports whether the session has lasted long enough.
func (s *Session) end() bool {
	if s.proof != nil && !s.proof.Stop() {
		<-s.fired
	}
	return s.isReady && time.Since(s.since) >= Proof
}
