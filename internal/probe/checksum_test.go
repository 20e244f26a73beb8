package probe

import (
	"testing"
	"time"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
)

const tunnelled = `{"Network":"10.0.0.0/8","Backend":{"Type":"vxlan"}}`

// trialled lets time pass, in which trials arrive that arrives is true of, and
// returns those that were sent.
func (w *world) trialled(d time.Duration, arrives func(Trial) bool) (all []Trial) {
	w.t.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		for _, t := range w.engine.Trials(w.now) {
			all = append(all, t)
			if arrives(t) {
				w.engine.Refused(t.ID, t.TCP, t.Target.Dest)
			}
		}
		w.run(min(end.Sub(w.now), step))
	}
	return all
}

func (w *world) checksum() ChecksumReport {
	w.t.Helper()
	all := w.engine.ChecksumReports()
	if len(all) != 1 || all[0].Family != netconf.V4 {
		w.t.Fatalf("%+v", all)
	}
	return all[0]
}

func everything(Trial) bool    { return true }
func complete(t Trial) bool    { return !t.Offload }
func nothing(Trial) bool       { return false }
func completeUDP(t Trial) bool { return t.TCP || !t.Offload }

func TestSoundChecksums(t *testing.T) {
	w := newWorld(t, tunnelled, 1)
	all := w.trialled(5*time.Minute, everything)
	if len(all) != 2 || !all[0].Offload || !all[1].Offload || all[0].TCP == all[1].TCP {
		t.Errorf("these were tried: %+v", all)
	}
	if r := w.checksum(); r.State != Sound || r.Tried.IsZero() || r.Found.Peer.IsValid() {
		t.Errorf("%+v", r)
	}
	if found, news := w.engine.Checksums(); len(found) > 0 || news {
		t.Errorf("%v, %t", found, news)
	}
	if more := w.trialled(15*time.Minute, everything); len(more) == 0 || len(more) > 6 {
		t.Errorf("tried %d times later on", len(more))
	}
}

func TestWrongChecksums(t *testing.T) {
	for _, tc := range []struct {
		name     string
		arrives  func(Trial) bool
		udp, tcp bool
	}{
		{"of both", complete, true, true},
		{"of UDP", completeUDP, true, false},
		{"of TCP while UDP is dropped", func(t Trial) bool { return t.TCP && !t.Offload }, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, tunnelled, 2)
			w.in.Host.Params = map[string]string{"kernel/osrelease": "6.1"}
			w.update(time.Second)
			w.trialled(30*time.Second, tc.arrives)
			found, news := w.engine.Checksums()
			want := plan.Checksum{Family: netconf.V4, UDP: tc.udp, TCP: tc.tcp, Sender: plan.Sender{Uplink: "eth0", Kernel: "6.1"}}
			if len(found) == 1 {
				want.Peer = found[0].Peer
			}
			if len(found) != 1 || found[0] != want || !news || !want.Peer.IsValid() || w.checksum().State != Wrong {
				t.Fatalf("%+v, %t", found, news)
			}

			// Worked around, they arrive; what was found is still known, and no news.
			w.trialled(time.Hour, everything)
			found, news = w.engine.Checksums()
			if r := w.checksum(); r.State != Sound || len(found) != 1 || found[0] != want || news {
				t.Errorf("afterwards: %+v, %+v, %t", r, found, news)
			}

			// Another uplink may do better.
			w.in.Host.Uplink.Name = "eth1"
			w.update(time.Second)
			w.trialled(time.Hour, everything)
			if found, _ := w.engine.Checksums(); len(found) > 0 {
				t.Errorf("of another uplink is known: %+v", found)
			}
		})
	}
}

// TestNoVerdictWithoutProof has packets dropped that no checksum is to blame for.
func TestNoVerdictWithoutProof(t *testing.T) {
	for name, tc := range map[string]struct {
		arrives func(*world) func(Trial) bool
		state   ChecksumState
	}{
		"by a firewall": {func(*world) func(Trial) bool { return nothing }, Untried},
		"but for complete UDP once": {func(*world) func(Trial) bool {
			n := 0
			return func(t Trial) bool {
				if !t.TCP && !t.Offload {
					n++
				}
				return !t.TCP && !t.Offload && n == 1
			}
		}, Untried},
		"but for TCP":   {func(*world) func(Trial) bool { return func(t Trial) bool { return t.TCP } }, Sound},
		"at random":     {func(w *world) func(Trial) bool { return func(Trial) bool { return w.rng.Float64() < 0.5 } }, Sound},
		"more and more": {func(*world) func(Trial) bool { n := 0; return func(Trial) bool { n++; return n%7 == 0 } }, Sound},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tunnelled, 3)
			all := w.trialled(time.Hour, tc.arrives(w))
			if found, _ := w.engine.Checksums(); len(found) > 0 || w.checksum().State != tc.state {
				t.Errorf("%+v, %+v", found, w.checksum())
			}
			if len(all) > 400 {
				t.Errorf("%d packets in an hour", len(all))
			}
		})
	}
}

// TestATunnelThatIsBackIsTried: a machine may have moved to other hardware meanwhile.
func TestATunnelThatIsBackIsTried(t *testing.T) {
	w := newWorld(t, tunnelled, 1)
	w.trialled(2*time.Minute, everything)
	w.passes = without(plan.Tunnelled)
	w.trialled(10*time.Second, everything)
	w.passes = func(Target, int) bool { return true }
	if all := w.trialled(30*time.Second, everything); len(all) != 2 {
		t.Errorf("these were tried: %+v", all)
	}
}

func TestOnlyTunnelsInUseAreTried(t *testing.T) {
	w := newWorld(t, direct, 3)
	if all := w.trialled(10*time.Minute, everything); len(all) > 0 {
		t.Errorf("these were tried: %+v", all)
	}
}

// TestTrialsKeepToTheRate counts all that is sent while many peers are probed and
// some are tried.
func TestTrialsKeepToTheRate(t *testing.T) {
	w := newWorld(t, tunnelled, 500)
	var at []time.Time
	all := w.trialled(time.Minute, func(t Trial) bool { at = append(at, w.now); return complete(t) })
	if len(all) == 0 {
		t.Fatal("nothing was tried")
	}
	for _, s := range w.sent {
		at = append(at, s.at)
	}
	seconds := map[time.Duration]int{}
	for _, one := range at {
		seconds[one.Sub(w.engine.start).Truncate(time.Second)]++
	}
	for s, n := range seconds {
		if n > rate+burst {
			t.Errorf("%d packets in second %s", n, s)
		}
	}
}

// TestChanceIsSoonTriedAgain loses so many complete packets at first that the
// others prove nothing.
func TestChanceIsSoonTriedAgain(t *testing.T) {
	w := newWorld(t, tunnelled, 1)
	n := 0
	first := w.trialled(20*time.Second, func(t Trial) bool { n++; return !t.Offload && n%8 == 3 })
	if found, _ := w.engine.Checksums(); len(found) > 0 || len(first) == 0 {
		t.Fatalf("%+v after %d trials", found, len(first))
	}
	w.trialled(time.Minute, complete)
	if found, _ := w.engine.Checksums(); len(found) != 1 {
		t.Error("not found within a minute")
	}
	w.trialled(3*time.Minute, everything) // it is worked around
	if r := w.checksum(); r.State != Sound {
		t.Errorf("%+v", r)
	}
	if more := w.trialled(time.Hour, complete); len(more) > 600 {
		t.Errorf("%d trials in an hour that nothing comes of", len(more))
	}
}

// TestRefusalsOfOthers have no effect.
func TestRefusalsOfOthers(t *testing.T) {
	w := newWorld(t, tunnelled, 1)
	w.trialled(20*time.Second, func(t Trial) bool {
		w.engine.Refused(t.ID, t.TCP, peerLease(2).Subnets[0].Addr())
		w.engine.Refused(t.ID, !t.TCP, t.Target.Dest)
		w.engine.Refused(t.ID+1, t.TCP, t.Target.Dest)
		w.engine.Refused(1<<15, t.TCP, t.Target.Dest)
		return false
	})
	if r := w.checksum(); r.State != Untried {
		t.Errorf("%+v", r)
	}
}
