package reconcile

import (
	"time"

	"github.com/weft-net/weft/internal/netstate"
)

// limiter bounds how often one object is repaired. Who fights over an object
// gets it back a few times at once and then slowly, and everything else is
// repaired at once meanwhile.
type limiter struct {
	buckets map[string]*bucket // by the desired object's text
}

// bucket holds the repairs that an object still gets.
type bucket struct {
	tokens float64
	at     time.Time // when tokens was right
	by     netstate.Event
	told   bool // that its repair is put off
}

// An object is repaired burst times in a row, then once in every interval.
const (
	burst    = 8
	interval = 10 * time.Second
)

// maxBuckets is when those that are full again are forgotten.
const maxBuckets = 1000

func (b *bucket) refill(now time.Time) {
	b.tokens = min(burst, b.tokens+float64(now.Sub(b.at))/float64(interval))
	b.at = now
}

// changed notes that somebody changed an object that should be as row is.
func (l *limiter) changed(row netstate.Row, e netstate.Event, now time.Time) {
	key := row.String()
	if l.buckets[key] == nil {
		if l.buckets == nil || len(l.buckets) >= maxBuckets {
			l.forget(now)
		}
		l.buckets[key] = &bucket{tokens: burst, at: now}
	}
	l.buckets[key].by = e
}

// waits reports whether row has had its repairs for now, and that was told.
func (l *limiter) waits(row netstate.Row, now time.Time) bool {
	b := l.buckets[row.String()]
	if b == nil {
		return false
	}
	b.refill(now)
	return b.tokens < 1 && b.told
}

// allow splits changes into those that may be made and those of objects that
// have had their repairs, and returns the delay until the first of these may
// be made. Objects that nobody was seen to change are not limited.
func (l *limiter) allow(ops []netstate.Op, now time.Time) (allowed []netstate.Op, contested []Contest, wait time.Duration) {
	if len(l.buckets) == 0 {
		return ops, nil, 0
	}
	for _, o := range ops {
		b := l.buckets[o.Row.String()]
		if b == nil {
			allowed = append(allowed, o)
			continue
		}
		if b.refill(now); b.tokens >= 1 {
			b.tokens, b.told = b.tokens-1, false
			allowed = append(allowed, o)
			continue
		}
		b.told = true
		contested = append(contested, Contest{Row: o.Row, By: b.by})
		left := time.Duration((1 - b.tokens) * float64(interval))
		if wait == 0 || left < wait {
			wait = left
		}
	}
	return allowed, contested, wait
}

// forget drops the buckets that are full again.
func (l *limiter) forget(now time.Time) {
	if l.buckets == nil {
		l.buckets = map[string]*bucket{}
	}
	for key, b := range l.buckets {
		if b.refill(now); b.tokens >= burst {
			delete(l.buckets, key)
		}
	}
}
