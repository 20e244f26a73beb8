package intent

import (
	"reflect"
	"time"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
)

// Step returns the state after e, and what to do. It is pure; now is when e
// happened, with the monotonic clock's reading if there is one.
func Step(s State, e Event, now time.Time) (State, Output) {
	t := step{state: &s, now: now}
	switch e := e.(type) {
	case StoreChanged:
		t.storeChanged(e)
	case StoreHealth:
		s.away = e.Err != nil
		t.answers(e.Err == nil && s.heard)
	case UseCopy:
		t.useCopy()
	case HostChanged:
		s.outdated = true
	case HostObserved:
		t.hostObserved(e)
	case LocksTaken:
		t.locksTaken(e)
	case LeaseHeld:
		t.held(e.Lease)
	case PassDone:
		s.pass = e
		t.overwrote(e.Overwrote)
	case PathsProbed:
		s.proofs = e.Proofs
		t.checksums(e.Checksums)
	case KeyMade:
		s.nextKey = e.Key
	case Tick:
	}
	if s.primed {
		t.conclude()
	}
	return s, t.out
}

// step is one step under way.
type step struct {
	state *State
	now   time.Time
	out   Output
}

func (t *step) say(severity Severity, kind event.Kind, text string, attrs ...any) {
	t.out.Messages = append(t.out.Messages, Message{severity, kind, text, attrs})
}

// wake asks for a Tick after d, if not sooner; 0 is none.
func (t *step) wake(d time.Duration) { t.out.Wake = sooner(t.out.Wake, d) }

func (t *step) storeChanged(e StoreChanged) {
	s := t.state
	t.tellUndecodable(e)
	s.store.update(e.Snapshot, s.opts.Grace, s.handshakes(), t.now)
	s.primed, s.heard = true, true
	t.answers(!s.away)
}

// handshakes is the key by which it is settled who begins a handshake; none where nothing may
// travel as before, and none for what an agent learns at its start, which is no news.
func (s *State) handshakes() netstate.WGKey {
	if !s.heard || s.config.net != nil && s.config.net.Strict() {
		return netstate.WGKey{}
	}
	return s.opts.Key
}

// tellUndecodable logs keys that cannot be read, when they are new.
func (t *step) tellUndecodable(e StoreChanged) {
	known := map[string]string{}
	for _, b := range t.state.store.snapshot.Bad {
		known[b.Key] = b.Err.Error()
	}
	for _, b := range e.Snapshot.Bad {
		if known[b.Key] != b.Err.Error() {
			t.say(Warn, event.Problem, "a key in the store cannot be read; it has no effect", "subject", b.Key, "error", b.Err)
		}
	}
}

// useCopy goes by the copy of the last snapshot. Traffic that stands flows on
// by it, and a host that was rebooted while the store is away has its network.
func (t *step) useCopy() {
	s := t.state
	if s.primed || s.store.snapshot.Config == nil || s.last == nil {
		return
	}
	t.say(Info, event.Peers, "using the copy of the last snapshot until the store answers", "leases", s.store.leases.Len())
	s.primed, s.self = true, s.last
}

// conclude draws the conclusions, in this order: a host announces only what it
// can already receive.
func (t *step) conclude() {
	s := t.state
	t.wake(s.store.expire(t.now))
	t.configure()
	if s.config.net == nil {
		return
	}
	t.drain()
	if !t.lock() || !t.observe() {
		t.tellFaults()
		return
	}
	t.switchKey()
	attrs, err := plan.Announce(*s.config.net, *s.facts, s.opts.Owner.ID, s.withKey(s.before()))
	s.faults.Announcement = err
	t.tellFaults()
	if err != nil {
		return
	}
	t.resume()
	t.supersede(attrs)
	if s.self != nil {
		t.plan(attrs)
	}
	t.tellMany()
	t.arrive()
	t.persist()
	t.request(attrs)
	t.keepKey()
}

// tellFaults logs what keeps the plan from being made, when it has changed.
func (t *step) tellFaults() {
	s := t.state
	text := ""
	for _, err := range []error{s.faults.Locks, s.faults.Uplink, s.faults.Announcement} {
		if text == "" && err != nil {
			text = err.Error()
		}
	}
	if text != "" && text != s.said.faults {
		t.say(Warn, event.Problem, "no plan yet", "error", text)
	}
	s.said.faults = text
}

// Pauses before the host is observed again, or its locks are asked for again,
// after a failure. Changes that the kernel reports come sooner.
const (
	firstRetry = 2 * time.Second
	maxRetry   = 30 * time.Second
)

// retry notes the outcome of something that is tried again after a pause that
// grows.
func (t *step) retry(err error) {
	s := t.state
	if err == nil {
		s.failures, s.retryAt = 0, time.Time{}
		return
	}
	pause := min(firstRetry<<min(s.failures, 10), maxRetry)
	s.failures++
	s.retryAt = t.now.Add(pause)
}

// due reports whether a retry is due; if one is pending, it sees to the Tick.
func (t *step) due() bool {
	s := t.state
	if s.retryAt.IsZero() {
		return false
	}
	if left := s.retryAt.Sub(t.now); left > 0 {
		t.wake(left)
		return false
	}
	s.retryAt = time.Time{}
	return true
}

func equal[T any](a, b T) bool { return reflect.DeepEqual(a, b) }
