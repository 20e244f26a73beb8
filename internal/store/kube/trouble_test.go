package kube

import (
	"errors"
	"testing"
	"time"
)

func TestAFaultIsToldOnceItStands(t *testing.T) {
	s := newTroubles()
	start := time.Unix(1000, 0)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	expect := func(after time.Duration, wantPart, wantText string, wantWait time.Duration) {
		t.Helper()
		part, text, wait := s.due(at(after))
		if part != wantPart || text != wantText || wait != wantWait {
			t.Errorf("after %s: %q, %q, wait %s; want %q, %q, %s", after, part, text, wait, wantPart, wantText, wantWait)
		}
	}
	expect(0, "", "", 0)
	s.set("lease", errors.New("none"), at(0))
	s.set("lease", errors.New("not yet"), at(10*time.Second))
	s.set("lease", errors.New("none"), at(20*time.Second)) // still the same fault
	expect(20*time.Second, "", "", standing-20*time.Second)
	expect(standing, "lease", "none", 0)
	expect(standing, "", "", 0)
	s.set("lease", nil, at(time.Minute))
	s.set("lease", errors.New("none"), at(2*time.Minute)) // back soon: told later
	expect(2*time.Minute+standing, "", "", between-2*time.Minute)
	s.set("config", errors.New("bad"), at(3*time.Minute))
	s.set("config", nil, at(3*time.Minute+time.Second)) // gone before it stood
	expect(4*time.Minute, "", "", standing+between-4*time.Minute)
	expect(standing+between, "lease", "none", 0)
}

func TestReasonsAreOneWord(t *testing.T) {
	for part, want := range map[string]string{"config": "WeftConfig", "subnet file": "WeftSubnetFile"} {
		if got := reasonOf(part); got != want {
			t.Errorf("%q is %q, want %q", part, got, want)
		}
	}
}
