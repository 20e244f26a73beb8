package intent

import (
	"testing"
	"time"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
)

func onPort(port uint16) announcement {
	return announcement{backend: netconf.Backend{Type: plan.VXLAN, VXLAN: netconf.VXLAN{VNI: 1, Port: port}}}
}

// A host whose clock does not run on while it is off comes back in the past:
// former announcements get their grace period again, and neither stay for
// years nor go at once.
func TestAClockThatWasSetBackStartsTheGracePeriodAgain(t *testing.T) {
	used := func(plan.Tunnel) bool { return false }
	now := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	h := history{}.supersede(onPort(8472), now).supersede(onPort(4789), now)
	h, _ = h.prune(used, now)
	if len(h) != 2 || !h.sends(1, now) {
		t.Fatalf("after the change: %+v", h)
	}
	past := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	h, wait := h.prune(used, past)
	if len(h) != 2 || wait <= 0 || wait > notice {
		t.Errorf("with the clock set back: %+v, a tick in %s", h, wait)
	}
	if h, _ = h.prune(used, now.Add(notice)); len(h) != 2 || h.sends(1, now.Add(notice)) || !h[1].silent {
		t.Errorf("after the notice: %+v", h)
	}
	// That packets do not leave by it any more is remembered, whatever the clock says.
	if h, _ = h.prune(used, past); h.sends(1, past) {
		t.Errorf("sends by the former port again: %+v", h)
	}
	if h, _ = h.prune(used, now.Add(grace+notice)); len(h) != 1 {
		t.Errorf("after the grace period: %+v", h)
	}
}
