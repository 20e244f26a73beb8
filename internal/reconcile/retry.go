package reconcile

import (
	"slices"
	"time"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/netstate"
)

// retries holds what failed, and when it is tried again. Objects that fail
// wait together, and everything else goes on meanwhile.
type retries struct {
	failing map[netstate.Row]Failure // by identity
	blind   bool                     // the kernel could not be observed
	pause   backoff.Backoff
	last    time.Time // of the last try
	due     time.Time // of the next
}

// sooner is the least pause before a try that news of the kernel asks for: a
// try may itself leave news behind.
const sooner = time.Second

func newRetries() retries {
	return retries{pause: backoff.Backoff{First: firstRetry, Most: maxRetry}}
}

func (r *retries) waiting() bool { return r.blind || len(r.failing) > 0 }

// open reports whether what failed is to be tried now.
func (r *retries) open(now time.Time) bool { return r.waiting() && !now.Before(r.due) }

// wait returns the delay until the next try, 0 if nothing waits for one.
func (r *retries) wait(now time.Time) time.Duration {
	if !r.waiting() {
		return 0
	}
	return max(r.due.Sub(now), time.Millisecond)
}

// hasten asks for a try soon, since what was in its way may be gone.
func (r *retries) hasten(now time.Time) {
	at := r.last.Add(sooner)
	if at.Before(now) {
		at = now
	}
	if at.Before(r.due) {
		r.due = at
	}
}

// kinds are those of the objects that fail.
func (r *retries) kinds() (k netstate.Kinds) {
	for _, f := range r.failing {
		k |= netstate.KindsWith(f.Op.Row)
	}
	return k
}

func (r *retries) fails(id netstate.Row) bool {
	_, ok := r.failing[id]
	return ok
}

// putOff splits ops into those to be carried out and those that failed before
// and are not yet to be tried again, which count as failed.
func (r *retries) putOff(ops []netstate.Op, now time.Time) (rest []netstate.Op, failed []Failure) {
	if len(r.failing) == 0 || r.open(now) {
		return ops, nil
	}
	rest = slices.DeleteFunc(slices.Clone(ops), func(o netstate.Op) bool {
		f, ok := r.failing[netstate.Identity(o.Row)]
		if ok = ok && f.Op.Row == o.Row && f.Op.Verb == o.Verb; ok {
			failed = append(failed, f)
		}
		return ok
	})
	return rest, failed
}

// note takes up how a pass that began at start went.
func (r *retries) note(done Pass, start time.Time) {
	now := time.Now()
	tried, fresh := r.open(start) || !r.waiting(), false
	if r.blind = done.Err != nil; !r.blind {
		fresh = r.learn(done.Failures)
	}
	switch {
	case !r.waiting():
		r.pause.Reset()
	case tried || r.blind:
		r.last, r.due = now, now.Add(r.pause.Next())
	case fresh:
		r.due = now.Add(min(r.due.Sub(now), firstRetry))
	}
}

// learn takes up what fails, and reports whether some of it is new.
func (r *retries) learn(failures []Failure) (fresh bool) {
	failing := make(map[netstate.Row]Failure, len(failures))
	for _, f := range failures {
		id := netstate.Identity(f.Op.Row)
		fresh = fresh || r.failing[id].Op.Row != f.Op.Row
		failing[id] = f
	}
	r.failing = failing
	return fresh
}
