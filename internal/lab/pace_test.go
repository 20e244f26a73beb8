package lab

import (
	"testing"
	"time"
)

func TestPaced(t *testing.T) {
	for value, want := range map[string]time.Duration{"": time.Second, "4": 4 * time.Second, "0": time.Second, "fast": time.Second} {
		t.Setenv(PaceVariable, value)
		if got := paced(time.Second); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}
