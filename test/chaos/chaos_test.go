package chaos

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var (
	duration = flag.Duration("chaos.duration", 40*time.Second, "how long faults go on")
	seed     = flag.Uint64("chaos.seed", 1, "of the faults' choice; 0: a random one")
	settle   = flag.Duration("chaos.settle", 10*time.Second, "how long after the last fault the network must be whole")
)

const (
	// pace is the mean time between two faults.
	pace = time.Second
	// longest is for how many further faults one may last.
	longest = 5
)

// TestNetworkOutlivesRandomFaults is the whole program. The same seed makes the same choice of faults,
// though not the same interleaving with what the agents do.
func TestNetworkOutlivesRandomFaults(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("run this again with -chaos.seed=%d -chaos.duration=%s", *seed, *duration)
	w := build(t)
	c := &chaos{world: w, rnd: rand.New(rand.NewPCG(*seed, 0)), faults: faults()}
	w.whole("before any fault")
	c.run(*duration)
	c.stop()
	w.whole("after the faults")
	t.Logf("%d faults; agents ended or stood still, store and wires failed, and all is whole", c.turn)
}

// chaos begins faults and ends them.
type chaos struct {
	*world
	rnd    *rand.Rand
	faults []fault
	turn   int
	active []running
}

// fault is one kind of thing that goes wrong.
type fault struct {
	name string
	// begin breaks something and returns what. Its end, if it has one, repairs it.
	begin func(w *world, rnd *rand.Rand) (broken, error)
}

// broken is a fault that has begun.
type broken struct {
	what string       // "h3 uplink": while it is broken, nothing else is done to it
	do   func() error // breaks it
	end  func() error // repairs it; nil: it is over at once, and for the agents to repair
}

type running struct {
	broken
	name string
	due  int // the turn in which it ends
}

func (c *chaos) run(d time.Duration) {
	ctx, cancel := context.WithTimeout(c.ctx, d)
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		c.turn++
		c.endDue()
		c.beginOne()
		timer.Reset(pace/2 + time.Duration(c.rnd.Int64N(int64(pace))))
	}
}

// beginOne draws faults until one concerns what is not broken yet.
func (c *chaos) beginOne() {
	for range 100 {
		f := c.faults[c.rnd.IntN(len(c.faults))]
		b, err := f.begin(c.world, c.rnd)
		if err != nil {
			c.t.Fatalf("%s: %v", f.name, err)
		}
		lasts := 1 + c.rnd.IntN(longest)
		if slices.ContainsFunc(c.active, func(r running) bool { return r.what == b.what }) {
			continue
		}
		c.say("%s: %s", b.what, f.name)
		if err := b.do(); err != nil {
			c.t.Fatalf("%s: %s: %v", b.what, f.name, err)
		}
		if b.end != nil {
			c.active = append(c.active, running{broken: b, name: f.name, due: c.turn + lasts})
		}
		return
	}
}

func (c *chaos) endDue() {
	c.active = slices.DeleteFunc(c.active, func(r running) bool {
		if r.due <= c.turn {
			c.restore(r)
		}
		return r.due <= c.turn
	})
}

func (c *chaos) restore(r running) {
	c.say("%s: %s is over", r.what, r.name)
	if err := r.end(); err != nil {
		c.t.Fatalf("%s: end of %s: %v", r.what, r.name, err)
	}
}

// stop ends what is still broken, and puts a config that all hosts can serve. Strays stay, all of them.
func (c *chaos) stop() {
	for _, r := range c.active {
		c.restore(r)
	}
	c.active = nil
	for _, s := range strays {
		c.check(c.put(s))
	}
	if err := c.configure(configs[0]); err != nil {
		c.t.Fatal(err)
	}
	c.say("the faults have stopped")
}

func (w *world) say(format string, args ...any) {
	w.t.Logf("%s %s", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
}
