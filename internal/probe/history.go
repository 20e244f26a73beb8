package probe

import (
	"slices"
	"time"
)

const (
	minutes = 11 // that a history goes back, the present one included
	samples = 31 // of round trips that a median is made of: the last ones of a minute
)

// history is what a path was like in the last minutes. There is one for each
// path to each of many thousand peers, so numbers are small: times are in
// microseconds, and counts are per minute.
type history struct {
	minute   int32 // the present one, counted from the start of the engine
	sent     [minutes]uint8
	lost     [minutes]uint8
	median   [minutes]uint32 // 0: no answer
	times    [samples]uint32 // of the present minute
	answered uint8           // in the present minute
	smoothed uint32          // round trip; 0: never answered
	slow     bool            // said to have become slower
}

// slowdown is a change of round trips.
type slowdown struct{ from, to time.Duration }

// answer notes a round trip at a time since the start of the engine. It returns
// what has become slower, if a minute has passed that shows it.
func (h *history) answer(at, rtt time.Duration) (slowdown, bool) {
	s, slower := h.turn(at)
	h.count(&h.sent)
	h.take(rtt)
	return s, slower
}

// miss notes a request without an answer.
func (h *history) miss(at time.Duration) {
	h.turn(at)
	h.count(&h.sent)
	h.count(&h.lost)
}

// late takes back a miss: the answer came after all.
func (h *history) late(rtt time.Duration) {
	if n := &h.lost[h.slot(h.minute)]; *n > 0 {
		*n--
	}
	h.take(rtt)
}

func (h *history) take(rtt time.Duration) {
	us := uint32(min(max(rtt.Microseconds(), 1), 1<<30))
	h.times[int(h.answered)%samples] = us
	if h.answered++; h.answered == 4*samples { // so that it stays in its byte
		h.answered -= samples
	}
	if h.smoothed == 0 {
		h.smoothed = us
		return
	}
	h.smoothed = uint32(max(1, (7*uint64(h.smoothed)+uint64(us))/8))
}

func (h *history) count(of *[minutes]uint8) {
	if n := &of[h.slot(h.minute)]; *n < 255 {
		*n++
	}
}

func (h *history) slot(minute int32) int { return int(minute) % minutes }

// turn begins the minute of at, if it is another one.
func (h *history) turn(at time.Duration) (s slowdown, slower bool) {
	now := int32(at / time.Minute)
	if now == h.minute {
		return s, false
	}
	median, n := middle(h.times[:min(int(h.answered), samples)]), int(h.answered)
	h.median[h.slot(h.minute)] = median
	if n >= 5 {
		s, slower = h.compare(median)
	}
	for m := max(h.minute+1, now-minutes+1); m <= now; m++ {
		h.sent[h.slot(m)], h.lost[h.slot(m)], h.median[h.slot(m)] = 0, 0, 0
	}
	h.minute, h.answered = now, 0
	return s, slower
}

// compare reports whether a minute's median says that the path has become
// slower than it was in the minutes before.
func (h *history) compare(median uint32) (slowdown, bool) {
	var before []uint32
	for i, m := range h.median {
		if i != h.slot(h.minute) && m > 0 {
			before = append(before, m)
		}
	}
	if len(before) < 3 {
		return slowdown{}, false
	}
	base := middle(before)
	was := h.slow
	h.slow = median > 3*base && median > base+5000 || was && median > 2*base
	s := slowdown{time.Duration(base) * time.Microsecond, time.Duration(median) * time.Microsecond}
	return s, h.slow && !was
}

// middle returns the median, 0 of nothing.
func middle(list []uint32) uint32 {
	if len(list) == 0 {
		return 0
	}
	list = slices.Clone(list)
	slices.Sort(list)
	return list[len(list)/2]
}

// enough is how many requests a rate of loss is made of, where there are so many.
const enough = 10

// loss returns the share of requests that were not answered of late: in the
// present minute and the one before, and further back until there are enough.
func (h *history) loss() float64 {
	sent, lost := 0, 0
	for back := int32(0); back < minutes && back <= h.minute && (back < 2 || sent < enough); back++ {
		sent += int(h.sent[h.slot(h.minute-back)])
		lost += int(h.lost[h.slot(h.minute-back)])
	}
	if sent == 0 {
		return 0
	}
	return float64(lost) / float64(sent)
}

// rtt returns the smoothed round trip, 0 if there was none.
func (h *history) rtt() time.Duration { return time.Duration(h.smoothed) * time.Microsecond }

// patience is how long an answer is waited for.
func patience(rtt time.Duration) time.Duration {
	if rtt == 0 {
		return longest
	}
	return min(max(shortest, 4*rtt), longest)
}

const (
	shortest = 250 * time.Millisecond
	longest  = time.Second
)
