package reconcile

import (
	"time"

	"github.com/weft-net/weft/internal/netstate"
)

// limiter bounds how often one object is repaired. If another program keeps
// changing an object, it is repaired a few times at once and then slowly;
// everything else is repaired at once meanwhile.
type limiter struct {
	buckets map[netstate.Row]*bucket // by the object's identity
	tidy    int                      // the number of buckets from which on full ones are forgotten
}

// bucket holds the repairs that an object still gets.
type bucket struct {
	left    tokens
	desired netstate.Row   // nil: the object should not be there
	by      netstate.Event // how it was changed last, as far as known
	told    bool           // that its repair is put off
}

// repairs is the pace of the repairs of one object: so many in a row, then one
// in each interval.
var repairs = pace{burst: 8, interval: 10 * time.Second}

// minTidy is the least number of buckets that are worth tidying up.
const minTidy = 1000

// changed notes that e changed an object that should be as desired is, nil if
// it should not be there. It reports whether the object is to be looked at:
// unless its repair is put off.
func (l *limiter) changed(desired netstate.Row, e netstate.Event, now time.Time) bool {
	id := netstate.Identity(e.Row)
	if byKernel(e) {
		b := l.buckets[id]
		return b == nil || b.desired != desired || !b.told || repairs.wait(&b.left, now) == 0
	}
	b := l.bucket(id, desired, now)
	b.by = e
	return !b.told || repairs.wait(&b.left, now) == 0
}

// byKernel reports whether e is what the kernel did by itself: routes go with
// a link that loses its carrier. That is no fight, however often it happens.
// Of other objects the kernel does not tell who changed them.
func byKernel(e netstate.Event) bool {
	_, route := e.Row.(netstate.Route)
	return route && e.PID == 0 && e.By == ""
}

// byProgram reports whether news that names no object is a program's doing,
// and not a change of the host's addresses or links, after which routes are
// missing.
func byProgram(e netstate.Event) bool {
	return e.By != "" || e.PID != 0 && !e.Facts
}

// bucket returns the bucket of an object, which is a full one if something
// else is desired of it now.
func (l *limiter) bucket(id, desired netstate.Row, now time.Time) *bucket {
	b := l.buckets[id]
	if b != nil && b.desired == desired {
		return b
	}
	if b == nil && len(l.buckets) >= l.tidy {
		l.forget(now)
	}
	b = &bucket{left: repairs.full(now), desired: desired}
	l.buckets[id] = b
	return b
}

// forget drops the buckets that are full again.
func (l *limiter) forget(now time.Time) {
	if l.buckets == nil {
		l.buckets = map[netstate.Row]*bucket{}
	}
	for id, b := range l.buckets {
		if repairs.isFull(&b.left, now) {
			delete(l.buckets, id)
		}
	}
	l.tidy = max(minTidy, 2*len(l.buckets))
}

// allow splits ops into those that may be carried out and the objects that
// have had their repairs, and returns the delay until the first of these may
// be repaired. Objects that somebody was seen to change are limited, and if a
// program changed something that the kernel did not name, all. skip tells of
// objects that have a pace of their own.
func (l *limiter) allow(ops []netstate.Op, want *netstate.State, program netstate.Event, skip func(id netstate.Row) bool, now time.Time) (allowed []netstate.Op, contested []Contest, wait time.Duration) {
	all := byProgram(program)
	if len(ops) == 0 || len(l.buckets) == 0 && !all {
		return ops, nil, 0
	}
	r := round{limiter: l, hosts: hostsIn(ops), judged: map[netstate.Row]bool{}, program: program, now: now}
	for _, o := range ops {
		host, hosted := r.hosts[hostOf(o.Row)]
		switch {
		case hosted && o.Verb != netstate.Remove && r.denied(host):
			// It comes with what it stands on.
		case skip(netstate.Identity(o.Row)):
			allowed = append(allowed, o)
		case r.may(o, want, all && !hosted):
			allowed = append(allowed, o)
		}
	}
	return allowed, r.contested, r.wait
}

// round is one use of a limiter.
type round struct {
	*limiter
	hosts     map[netstate.Row]netstate.Op // the last change of each device or firewall table, by its identity
	judged    map[netstate.Row]bool        // objects by identity, and whether they may be changed
	program   netstate.Event               // news that named no object
	contested []Contest
	wait      time.Duration
	now       time.Time
}

// may reports whether o may be carried out. What is remade has two ops and
// needs one token. If limited is not set, only objects are that were before.
func (r *round) may(o netstate.Op, want *netstate.State, limited bool) bool {
	id := netstate.Identity(o.Row)
	if may, ok := r.judged[id]; ok {
		return may
	}
	if r.buckets[id] == nil && !limited {
		return true
	}
	desired := want.Find(o.Row)
	b := r.bucket(id, desired, r.now)
	if b.by == (netstate.Event{}) {
		b.by = r.program
	}
	wait := repairs.wait(&b.left, r.now)
	b.told = wait > 0
	r.judged[id] = !b.told
	if !b.told {
		b.left.take()
		return true
	}
	row := desired
	if row == nil {
		row = o.Row
	}
	r.contested = append(r.contested, Contest{Row: row, Stale: desired == nil, By: b.by})
	if r.wait == 0 || wait < r.wait {
		r.wait = wait
	}
	return false
}

// denied reports whether nothing can be put on a device, or into a firewall
// table, since its own change is put off.
func (r *round) denied(host netstate.Op) bool {
	may, judged := r.judged[netstate.Identity(host.Row)]
	if !judged || may {
		return false
	}
	have, ok := host.Have.(netstate.Link)
	return !ok || host.Verb != netstate.Replace || !have.Up
}

// hostsIn returns the ops that change what others stand on.
func hostsIn(ops []netstate.Op) map[netstate.Row]netstate.Op {
	hosts := map[netstate.Row]netstate.Op{}
	for _, o := range ops {
		switch o.Row.(type) {
		case netstate.Link, netstate.NFTable:
			hosts[netstate.Identity(o.Row)] = o
		}
	}
	return hosts
}

// hostOf returns the identity of what row stands on, nil if that is nothing of
// ours.
func hostOf(row netstate.Row) netstate.Row {
	if dev := deviceOf(row); dev != "" {
		return netstate.Link{Name: dev}
	}
	switch r := row.(type) {
	case netstate.Set:
		return netstate.NFTable{Name: r.Table}
	case netstate.Element:
		return netstate.NFTable{Name: r.Table}
	case netstate.Chain:
		return netstate.NFTable{Name: r.Table}
	case netstate.Rule:
		return netstate.NFTable{Name: r.Table}
	}
	return nil
}
