package echo_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/kernel/echo"
)

// TestTrialsAreRefused sends by a device and without a route, as through a tunnel.
// A wire of two devices leaves a checksum as it is, and the kernel knows that.
func TestTrialsAreRefused(t *testing.T) {
	w := newWire(t)
	w.exchange(t, request(near6, far6, 84)) // the wire is ready
	id := uint16(0)
	for _, tcp := range []bool{false, true} {
		for _, offload := range []bool{false, true} {
			for _, a := range [][2]string{{near4, far4}, {near6, far6}, {near4, hidden4}, {near6, hidden6}} {
				id++
				trial := echo.Trial{ID: id, TCP: tcp, Offload: offload, Source: netip.MustParseAddr(a[0]), Dest: netip.MustParseAddr(a[1])}
				trial.Dev, trial.MAC = "eth0", w.farMAC
				if !w.refused(t, trial) {
					t.Errorf("%+v was not refused", trial)
				}
			}
		}
	}
}

// refused tries until the trial is refused: kernels refuse only so many a second.
func (w *wire) refused(t *testing.T, trial echo.Trial) (found bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !found && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err := w.conn.Try(trial); err != nil {
			t.Fatal(err)
		}
		for wait := 0; wait < 20 && !found; wait++ {
			w.conn.Refused(func(r echo.Refusal) {
				found = found || r == echo.Refusal{ID: trial.ID, TCP: trial.TCP, From: trial.Dest}
			})
			time.Sleep(5 * time.Millisecond)
		}
	}
	return found
}

func TestTrialWithoutADevice(t *testing.T) {
	w := newWire(t)
	trial := echo.Trial{Source: netip.MustParseAddr(near4), Dest: netip.MustParseAddr(far4)}
	trial.Dev = "gone"
	if err := w.conn.Try(trial); err == nil {
		t.Error("it was sent")
	}
}
