package cli

import (
	"testing"
	"time"

	"github.com/weft-net/weft/internal/api"
)

func TestReachText(t *testing.T) {
	morning := time.Date(2026, 7, 1, 10, 4, 5, 0, time.Local)
	for want, r := range map[string]api.Reach{
		"-":                        {},
		"ok":                       {State: api.ReachPasses, Loss: 0.001},
		"100% loss":                {State: api.ReachPasses, Loss: 1},
		"unmeasured":               {State: api.ReachUnmeasured, Loss: 1},
		"no answer":                {State: api.ReachLost, Since: morning},
		"no answer since 10:04:05": {State: api.ReachLost, Answered: morning, Since: morning.Add(time.Second), Loss: 1},
	} {
		if got := reachText(api.Path{Reach: r}); got != want {
			t.Errorf("%+v reads %q, not %q", r, got, want)
		}
	}
	for want, d := range map[string]time.Duration{"0.04ms": 42 * time.Microsecond, "0.4ms": 420 * time.Microsecond, "12ms": 12 * time.Millisecond} {
		if got := milliseconds(d); got != want {
			t.Errorf("%s reads %q, not %q", d, got, want)
		}
	}
}
