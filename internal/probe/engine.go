package probe

import (
	"net/netip"
	"time"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
)

// Small is the size of the packets that are sent regularly, in bytes of the IP
// packet: that of ping(8).
const Small = 84

// least is the size that every path carries: RFC 791 and RFC 8200.
func least(f netconf.Family) int32 {
	if f == netconf.V6 {
		return 1280
	}
	return 576
}

// View is what an Engine goes by.
type View struct {
	Input    *plan.Input
	Routed   func(netip.Prefix) bool // a peer's subnet has a route: packets to others would go astray
	Interval time.Duration           // between packets by one path, at least; 0: nothing is sent
}

// Engine probes the paths to all peers, some at a time. It is for one
// goroutine. Its times are those of one clock.
type Engine struct {
	start  time.Time
	random func() float64 // from 0 to 1, without 1
	view   View

	pairs  map[netip.Prefix]*pair // by the peer's subnet
	cursor []netip.Prefix         // of the peer that was visited last
	visit  time.Duration          // when the next peer is visited
	cost   float64                // packets a visit, on average
	bucket bucket
	timers timers

	seq    uint16
	flying map[uint16]*flight

	news   []*path // whose proofs are to be told
	tell   time.Duration
	gone   []plan.Proof
	slower []Slower
	sums   checksums
}

// flight is a request on its way.
type flight struct {
	path   *path
	target Target
	size   int32
	sent   time.Duration
	missed bool // no answer is expected any more; one may still come
}

// Request is an echo request to be sent.
type Request struct {
	Seq    uint16
	Size   int // bytes of the IP packet
	Target Target
}

// Answer is an echo reply that came.
type Answer struct {
	Seq  uint16
	From netip.Addr
	RTT  time.Duration
}

// Slower is a path whose round trips take longer than they did.
type Slower struct {
	Subnets  []netip.Prefix
	Kind     plan.Kind
	Family   netconf.Family
	From, To time.Duration
}

// New returns an engine that knows no peers. random spreads what is sent.
func New(start time.Time, random func() float64) *Engine {
	return &Engine{
		start: start, random: random, pairs: map[netip.Prefix]*pair{}, cost: 1, bucket: newBucket(),
		flying: map[uint16]*flight{},
	}
}

// at returns a time as it is counted here.
func (e *Engine) at(now time.Time) time.Duration { return now.Sub(e.start) }

// enabled reports whether there is anything to probe.
func (e *Engine) enabled() bool { return e.view.Input != nil && e.view.Interval > 0 }

// Update sets what to go by. What was known of a peer is forgotten if its lease
// has gone; of a path that leads elsewhere, when its turn comes.
func (e *Engine) Update(v View, now time.Time) {
	was := e.view
	e.view = v
	if !e.enabled() {
		e.forgetAll()
		return
	}
	if was.Input == nil || was.Interval != v.Interval {
		e.visit = e.at(now) + time.Duration(e.random()*float64(e.pause()))
	}
	if was.Input != nil {
		e.forgetGone(was.Input.Peers, v.Input.Peers)
	}
}

// pause returns the time between two visits, so that each peer has its turn once
// an interval, if the rate permits.
func (e *Engine) pause() time.Duration {
	n := max(1, e.view.Input.Peers.Len())
	round := max(e.view.Interval, time.Duration(float64(n)*e.cost/visitRate*float64(time.Second)))
	return round / time.Duration(n)
}

// Tick returns what to send now. Every answer that has arrived must have been
// taken in before, or it counts as missing.
func (e *Engine) Tick(now time.Time) []Request {
	at := e.at(now)
	e.bucket.fill(at)
	var out []Request
	for e.enabled() {
		if t, due := e.timers.due(at); due {
			out = e.fire(t, at, out)
			continue
		}
		if e.visit > at || !e.bucket.take(0) {
			break
		}
		e.bucket.tokens++ // send takes it
		out = e.visitNext(at, out)
	}
	return out
}

// The least between two ticks. What falls due in so much time is sent together,
// since each time that the process wakes costs more than a packet. What shall show
// soon whether a path is lost waits for step, regular visits for stride, in which no
// more of them fall due than are sent at a time.
const (
	step   = 75 * time.Millisecond
	stride = 2 * step
)

// Next returns when Tick and News should be called next.
func (e *Engine) Next(now time.Time) time.Time {
	at := e.at(now)
	next := at + time.Hour
	if e.enabled() {
		next = max(e.visit, at+stride)
	}
	for len(e.timers) > 0 && e.timers[0].idle(e.flying) {
		e.timers.due(e.timers[0].at)
	}
	if len(e.timers) > 0 {
		next = min(next, e.timers[0].at)
	}
	if e.enabled() {
		next = min(next, e.nextTrial())
	}
	if len(e.news)+len(e.gone) > 0 {
		next = min(next, e.tell)
	}
	return e.start.Add(max(next, at+step))
}

// fire does what a timer was set for.
func (e *Engine) fire(t timer, at time.Duration, out []Request) []Request {
	if !t.again {
		e.overdue(t.seq, at)
		return out
	}
	if !e.knows(t.path) || t.full && t.path.large || !t.full && t.path.small {
		return out // it has gone, or is being asked already
	}
	if !e.bucket.take(0) {
		t.at = at + time.Second/rate
		e.timers.add(t)
		return out
	}
	return e.send(t.path, t.full, at, out)
}

// again asks a path soon once more.
func (e *Engine) again(p *path, full bool, at time.Duration) {
	e.timers.add(timer{at: at, again: true, path: p, full: full})
}

// send makes a request for which a token was taken.
func (e *Engine) send(p *path, full bool, at time.Duration, out []Request) []Request {
	e.seq++
	f := &flight{path: p, target: p.target, size: Small, sent: at}
	if full {
		f.size = p.size(at, e.full())
		p.large, p.nextFull = true, p.visits+fullEvery
	} else {
		p.small = true
	}
	e.flying[e.seq] = f
	e.timers.add(timer{at: at + p.patience(), seq: e.seq})
	return append(out, Request{Seq: e.seq, Size: int(f.size), Target: f.target})
}

// full is the full size: containers send no larger packets.
func (e *Engine) full() int32 { return int32(plan.MTU(e.view.Input.Net, e.view.Input.Host)) }
