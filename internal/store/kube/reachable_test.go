package kube

import (
	"errors"
	"testing"
	"time"
)

func TestTheConditionFollowsReachability(t *testing.T) {
	r := newReachability()
	start := time.Unix(1000, 0)
	expect := func(after time.Duration, set bool, status string, wantWait time.Duration) {
		t.Helper()
		c, ok, wait := r.condition(start.Add(after))
		if ok != set || c.Status != status || wait != wantWait {
			t.Errorf("after %s: %v %q, wait %s; want %v %q, %s", after, ok, c.Status, wait, set, status, wantWait)
		}
	}
	broken := errors.New("kernel: device flannel.1: address already in use")
	r.set(broken, start) // it never could be reached: the condition that came with the node is right
	expect(time.Hour, false, "", 0)
	r.set(nil, start.Add(time.Hour))
	expect(time.Hour, true, "False", 0)
	r.set(broken, start.Add(2*time.Hour))
	expect(2*time.Hour, true, "False", standing)
	r.set(errors.New("kernel: something else"), start.Add(2*time.Hour+10*time.Second)) // still not reachable
	expect(2*time.Hour+standing, true, "True", 0)
	r.set(nil, start.Add(3*time.Hour))
	expect(3*time.Hour, true, "False", 0)
}
