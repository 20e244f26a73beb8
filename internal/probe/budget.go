package probe

import "time"

// Most packets a second that a host sends: within any second no more than
// rate and burst together.
const (
	rate  = 90
	burst = 10

	// visitRate is what regular rounds are planned for, so that there is room to
	// find out quickly whether a path is lost.
	visitRate = 60
)

// bucket keeps to the rate.
type bucket struct {
	tokens float64
	filled time.Duration
}

func newBucket() bucket { return bucket{tokens: burst} }

func (b *bucket) fill(now time.Duration) {
	b.tokens = min(burst, b.tokens+rate*max(0, now-b.filled).Seconds())
	b.filled = now
}

// take takes a token if there are more than spare.
func (b *bucket) take(spare float64) bool {
	if b.tokens < spare+1 {
		return false
	}
	b.tokens--
	return true
}
