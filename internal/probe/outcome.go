package probe

import (
	"net/netip"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/plan"
)

// Outcome is what came of sending a request.
type Outcome uint8

// The outcomes.
const (
	Sent   Outcome = iota
	Unsent         // it never left: that says nothing of the path
	NoWay          // there is no route, neighbour or device for it
	TooBig         // this host's own device does not carry the size
)

// grace is how long an answer is still taken in after it counted as missing.
const grace = 2 * time.Second

// silentPause is between tries of a path that never answered while another
// path to the peer passes.
const silentPause = 450 * time.Millisecond

// Outcome takes in what came of sending a request that Tick returned, unless it
// was sent.
func (e *Engine) Outcome(seq uint16, o Outcome, now time.Time) {
	f := e.flying[seq]
	if f == nil || o == Sent {
		return
	}
	e.land(seq, f)
	switch {
	case !e.knows(f.path):
	case o == TooBig && f.size > Small:
		e.sized(f, e.at(now), false, true)
	case o == NoWay && f.size <= Small && f.path.last > 0:
		e.missing(f, e.at(now)) // it had a way before
	}
}

// land takes a request off those on their way.
func (e *Engine) land(seq uint16, f *flight) {
	delete(e.flying, seq)
	f.settle()
}

// settle lets the next packet of its kind be sent.
func (f *flight) settle() {
	switch {
	case f.missed:
	case f.size > Small:
		f.path.large = false
	default:
		f.path.small = false
	}
}

// Answer takes in a reply, and reports whether it belongs to a request.
func (e *Engine) Answer(a Answer, now time.Time) bool {
	f := e.flying[a.Seq]
	if f == nil || !f.answeredBy(a) {
		return false
	}
	e.land(a.Seq, f)
	if !e.knows(f.path) {
		return true
	}
	at, p := e.at(now), f.path
	rtt := min(max(0, a.RTT), at-f.sent) // a clock may have been set
	if f.size > Small {
		e.sized(f, at, true, false)
		return true
	}
	if f.missed {
		p.late(rtt)
	} else if s, slower := p.history.answer(at, rtt); slower {
		e.slower = append(e.slower, Slower{p.pair.subnets, p.target.Kind, p.pair.family, s.from, s.to})
	}
	was := p.verdict
	if p.judge.answer(at, f.sent) {
		p.mark(at)
		e.changed(p, was, at)
		e.passed(p, at)
	} else if p.verdict == plan.Lost && at < p.deadUntil {
		e.again(p, false, at+shortest/2)
	}
	e.weigh(p.pair, at)
	return true
}

// answeredBy reports whether the answer is from the host that was asked. With
// IPv6 another of its addresses may answer for the first one of a subnet, which
// stands for all routers there.
func (f *flight) answeredBy(a Answer) bool {
	if a.From == f.target.Dest || a.From == f.target.Remote {
		return true
	}
	return slices.ContainsFunc(f.path.pair.subnets, func(s netip.Prefix) bool { return s.Contains(a.From) })
}

// overdue counts a request as missed whose time is over.
func (e *Engine) overdue(seq uint16, at time.Duration) {
	f := e.flying[seq]
	switch {
	case f == nil:
		return
	case f.missed || !e.knows(f.path):
		e.land(seq, f)
		return
	}
	f.settle()
	f.missed = true
	e.timers.add(timer{at: at + grace, seq: seq})
	if f.size > Small {
		e.sized(f, at, false, false)
	} else {
		e.missing(f, at)
	}
}

// missing takes in a small packet that was not answered. What may be the end of
// a path is found out at once.
func (e *Engine) missing(f *flight, at time.Duration) {
	p := f.path
	p.history.miss(at)
	other, _ := p.otherPasses()
	was := p.verdict
	if p.judge.miss(at, f.sent, other) {
		p.mark(at)
		e.changed(p, was, at)
	}
	e.weigh(p.pair, at)
	switch {
	case p.verdict == plan.Passes:
		e.again(p, false, at)
	case p.verdict == plan.Unmeasured && other:
		e.again(p, false, at+silentPause)
	}
}

// sized takes in what became of a large packet.
func (e *Engine) sized(f *flight, at time.Duration, passed, certain bool) {
	p := f.path
	if p.verdict != plan.Passes || !passed && p.judge.misses > 0 {
		return // it is not for its size that it is missing
	}
	var n sizeNews
	if passed {
		n = p.sizes.passed(f.size, e.full(), at)
	} else {
		n = p.sizes.failed(f.size, e.full(), least(p.pair.family), at, p.loss() > 0, certain)
	}
	if n.changed {
		e.changed(p, p.verdict, at)
	}
	if n.again {
		e.again(p, true, at)
	}
}
