package probe

import (
	"container/heap"
	"time"
)

// timer is something to do with a path later on.
type timer struct {
	at    time.Duration
	seq   uint16 // of the request that is overdue then, unless again
	again bool   // to send to path
	path  *path
	full  bool // what is to be sent: a large packet
}

// idle reports whether there will be nothing to do: the request is answered.
func (t timer) idle(flying map[uint16]*flight) bool { return !t.again && flying[t.seq] == nil }

// timers are ordered by time.
type timers []timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at < t[j].at }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }

// Push implements heap.Interface.
func (t *timers) Push(x any) { *t = append(*t, x.(timer)) }

// Pop implements heap.Interface.
func (t *timers) Pop() any {
	old := *t
	last := old[len(old)-1]
	old[len(old)-1] = timer{}
	*t = old[:len(old)-1]
	return last
}

func (t *timers) add(one timer) { heap.Push(t, one) }

// due removes and returns the first timer if its time has come.
func (t *timers) due(now time.Duration) (timer, bool) {
	if len(*t) == 0 || (*t)[0].at > now {
		return timer{}, false
	}
	return heap.Pop(t).(timer), true
}
