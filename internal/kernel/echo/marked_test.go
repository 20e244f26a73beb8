package echo_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/kernel/echo"
)

// TestMarkedPackets sends packets that are seen in clear on the wire, unless that is a
// device by which packets go before they are encrypted.
func TestMarkedPackets(t *testing.T) {
	w := newWire(t)
	w.exchange(t, request(near6, far6, 84)) // from now on IPv6 is of use
	a := netip.MustParseAddr
	packets := []echo.Marked{{Source: a(near4), Dest: a(far4)}, {Source: a(near6), Dest: a(far6)}, {Source: a(near4), Dest: a(hidden4)}}
	send := func(hidden ...string) (found []echo.Found) {
		within(t, w.near, func() (err error) {
			var missed int
			if found, missed, err = echo.SendMarked(t.Context(), packets, hidden); missed != 0 {
				t.Errorf("%d frames were missed", missed)
			}
			return err
		})
		return found
	}
	found := send()
	for i, f := range found[:2] {
		if !slices.Equal(f.Clear, []string{"eth0"}) {
			t.Errorf("packet %d in clear was seen on %v", i, f.Clear)
		}
	}
	if f := found[2]; f.Err == nil || f.Answered || len(f.Clear) > 0 {
		t.Errorf("to an address without a route: %+v", f)
	}
	for i, f := range send("eth0")[:2] {
		if len(f.Clear) > 0 || !f.Answered {
			t.Errorf("packet %d on a device that may see it: %+v", i, f)
		}
	}
}
