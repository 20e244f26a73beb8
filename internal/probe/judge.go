package probe

import (
	"time"

	"github.com/weft-net/weft/internal/plan"
)

const (
	lostAfter    = 3                // misses in a row
	backAfter    = 3                // answers in a row, at least
	firstHold    = 10 * time.Second // that a lost path must be good for
	longestHold  = 5 * time.Minute
	forgiveAfter = 10 * time.Minute // of being good: the next loss is no relapse

	// A path that has failed is kept for so many misses while it is not known whether
	// another one still passes.
	keptFor = 10

	// Of a path that never answered while another one to the same peer does.
	silentTries = 5
	silentTime  = 3 * time.Second
)

// judge holds what is thought of a path, and why. Times are counted from the
// start of the engine.
type judge struct {
	verdict plan.Verdict
	since   time.Duration // of the verdict
	misses  uint8         // in a row
	failing time.Duration // when the first of these was sent
	proven  time.Duration // when the last request that was answered was sent
	answers uint8         // in a row
	good    time.Duration // the first of these
	last    time.Duration // answer; 0: none ever
	tries   uint8         // that failed before the first answer, while another path passes
	tried   time.Duration // the first of these

	hold      time.Duration // how long it must be good to be back
	recovered time.Duration // when it was lost and back; 0: never
	deadUntil time.Duration // until then a few answers will do, since all paths to the peer were lost
}

// forever is later than any time.
const forever = time.Duration(1<<63 - 1)

// answer takes in an answer to a request that was sent at a time, and reports
// whether the verdict has changed.
func (j *judge) answer(at, sent time.Duration) bool {
	j.misses, j.tries, j.last, j.proven = 0, 0, max(at, 1), max(j.proven, sent)
	if j.answers == 0 {
		j.good = at
	}
	j.answers = min(j.answers+1, 200)
	switch {
	case j.verdict == plan.Unmeasured:
		return j.become(plan.Passes, at)
	case j.verdict == plan.Passes || j.answers < backAfter:
		return false
	case at < j.deadUntil, at-j.good >= j.hold:
		j.recovered = at
		return j.become(plan.Passes, at)
	}
	return false
}

// miss takes in that no answer came to a request that was sent at a time, and
// reports whether the verdict has changed. otherPasses says that another path to the
// peer passes. Whether a path that has passed is lost, its pair decides.
func (j *judge) miss(at, sent time.Duration, otherPasses bool) bool {
	if j.misses == 0 {
		j.failing = sent
	}
	j.answers = 0
	j.misses = min(j.misses+1, 200)
	if j.verdict != plan.Unmeasured {
		return false
	}
	if !otherPasses {
		j.tries = 0
		return false
	}
	if j.tries == 0 {
		j.tried = at
	}
	j.tries = min(j.tries+1, 200)
	return j.tries >= silentTries && at-j.tried >= silentTime && j.lose(at)
}

// hasFailed reports whether the path has missed enough to be lost.
func (j *judge) hasFailed() bool { return j.verdict == plan.Passes && j.misses >= lostAfter }

// lose makes the path lost. Who relapses must be good for longer and longer.
func (j *judge) lose(at time.Duration) bool {
	if j.recovered > 0 && at-j.recovered < forgiveAfter {
		j.hold = min(2*j.hold, longestHold)
	} else {
		j.hold = firstHold
	}
	return j.become(plan.Lost, at)
}

func (j *judge) become(v plan.Verdict, at time.Duration) bool {
	j.verdict, j.since = v, at
	return true
}
