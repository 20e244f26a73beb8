package probe

import (
	"testing"
	"time"

	"github.com/weft-net/weft/internal/plan"
)

// narrow answers packets up to a size.
func narrow(most int) func(Target, int) bool {
	return func(_ Target, size int) bool { return size <= most }
}

func TestFindsTheLargestPacket(t *testing.T) {
	for _, most := range []int{500, 576, 1000, 1280, 1347, 1350, 1446, 1449} {
		w := newWorld(t, direct, 2)
		w.passes = narrow(most)
		w.run(30 * time.Second)
		got := w.told(plan.Direct)
		want := max(576, most&^3)
		if want > 1444 {
			want = 1444 // the last step below full size
		}
		if got.Verdict != plan.Passes || got.MTU > max(576, most) || got.MTU < want-4 {
			t.Errorf("up to %d bytes pass: told as %s, MTU %d", most, got.Verdict, got.MTU)
		}
	}
}

func TestFullSizeAgain(t *testing.T) {
	w := newWorld(t, direct, 2)
	w.passes = narrow(1300)
	w.run(30 * time.Second)
	if got := w.told(plan.Direct).MTU; got != 1300 {
		t.Errorf("MTU %d", got)
	}
	w.passes = without()
	w.run(75 * time.Second)
	if got := w.told(plan.Direct).MTU; got != 0 {
		t.Errorf("MTU %d after the path carries full size again", got)
	}
}

func TestNarrowerStillAndWider(t *testing.T) {
	w := newWorld(t, direct, 1)
	w.passes = narrow(1300)
	w.run(30 * time.Second)
	w.passes = narrow(1000)
	w.run(30 * time.Second)
	if got := w.told(plan.Direct).MTU; got > 1000 || got < 992 {
		t.Errorf("MTU %d where 1000 pass", got)
	}
	w.passes = narrow(1400)
	w.run(12 * time.Minute)
	if got := w.told(plan.Direct).MTU; got > 1400 || got < 1392 {
		t.Errorf("MTU %d where 1400 pass", got)
	}
}

// TestLossIsNoMatterOfSize loses packets of all sizes alike.
func TestLossIsNoMatterOfSize(t *testing.T) {
	w := newWorld(t, direct, 5)
	w.passes = func(Target, int) bool { return w.rng.Float64() > 0.2 }
	w.run(5 * time.Minute)
	for i := range 5 {
		for _, r := range w.engine.Report(peerLease(i + 1).Subnets[0]) {
			if r.MTU != 0 {
				t.Errorf("peer %d: MTU %d", i, r.MTU)
			}
		}
	}
}

func TestOwnDeviceIsTooNarrow(t *testing.T) {
	w := newWorld(t, direct, 1)
	w.outcome = func(_ Target, size int) Outcome {
		if size > 1200 {
			return TooBig
		}
		return Sent
	}
	w.run(20 * time.Second)
	if got := w.told(plan.Direct).MTU; got > 1200 || got < 1192 {
		t.Errorf("MTU %d where the device takes 1200", got)
	}
}
