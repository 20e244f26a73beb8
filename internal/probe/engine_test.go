package probe

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/plan/vxlan"
)

// world is an engine and the network that it probes, with a clock of its own.
type world struct {
	t      *testing.T
	now    time.Time
	engine *Engine
	in     plan.Input
	rng    *rand.Rand

	passes  func(Target, int) bool // whether a packet of a size is answered now
	outcome func(Target, int) Outcome
	rtt     time.Duration
	coming  []coming
	sent    []sending
	proofs  map[string]plan.Proof
	batches int
	slower  []Slower
}

type coming struct {
	at     time.Time
	answer Answer
}

type sending struct {
	at time.Time
	Request
}

const direct = `{"Network":"10.0.0.0/8","Backend":{"Type":"vxlan","DirectRouting":true}}`

// newWorld has n peers on this host's segment.
func newWorld(t *testing.T, config string, n int) *world {
	t.Helper()
	net, err := netconf.Parse([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	segment := netip.MustParsePrefix("192.168.0.0/16")
	w := &world{
		t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), rng: rand.New(rand.NewPCG(7, uint64(n))), rtt: time.Millisecond,
		passes: func(Target, int) bool { return true }, proofs: map[string]plan.Proof{},
		in: plan.Input{Net: net, Self: lease.Lease{Subnets: []netip.Prefix{netip.MustParsePrefix("10.255.0.0/24")}}, Host: host.Facts{
			Uplink: host.Uplink{Name: "eth0", MTU: 1500, Addrs: []netip.Addr{netip.MustParseAddr("192.168.255.1")}, OnLink: []netip.Prefix{segment}},
		}},
	}
	w.engine = New(w.now, w.rng.Float64)
	w.setPeers(n)
	return w
}

func peerLease(i int) lease.Lease {
	addr := netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)})
	mac := vxlan.DeriveMAC(addr.String(), netconf.V4, 1)
	l := lease.Lease{Subnets: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)}}
	l.Attrs = lease.Attrs{Backend: plan.VXLAN, Public: []netip.Addr{addr}}
	l.Data = l.Data.With(netconf.V4, vxlan.Data{VNI: 1, MAC: mac}.Marshal())
	return l
}

func (w *world) setPeers(n int) {
	leases := make([]lease.Lease, 0, n)
	for i := range n {
		leases = append(leases, peerLease(i+1))
	}
	w.in.Peers = lease.SetOf(leases...)
	w.update(time.Second)
}

func (w *world) update(interval time.Duration) {
	in := w.in
	w.engine.Update(View{Input: &in, Routed: func(netip.Prefix) bool { return true }, Interval: interval}, w.now)
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		w.deliver()
		for _, r := range w.engine.Tick(w.now) {
			w.send(r)
		}
		w.slower = append(w.slower, w.engine.Slower()...)
		if news := w.engine.News(w.now); news != nil {
			w.batches++
			for _, p := range news {
				w.proofs[fmt.Sprint(p.Subnets, p.Kind)] = p
			}
		}
		next := w.engine.Next(w.now)
		if !next.After(w.now) {
			w.t.Fatal("the engine asks to be called at once")
		}
		w.now = next
		if w.now.After(end) {
			w.now = end
		}
	}
}

func (w *world) deliver() {
	rest := w.coming[:0]
	for _, c := range w.coming {
		if c.at.After(w.now) {
			rest = append(rest, c)
		} else {
			w.engine.Answer(c.answer, w.now)
		}
	}
	w.coming = rest
}

func (w *world) send(r Request) {
	w.sent = append(w.sent, sending{w.now, r})
	if w.outcome != nil {
		if o := w.outcome(r.Target, r.Size); o != Sent {
			w.engine.Outcome(r.Seq, o, w.now)
			return
		}
	}
	if w.passes(r.Target, r.Size) {
		w.coming = append(w.coming, coming{w.now.Add(w.rtt), Answer{Seq: r.Seq, From: r.Target.Dest, RTT: w.rtt}})
	}
}

// verdict returns what is thought of a path to the first peer.
func (w *world) verdict(kind plan.Kind) plan.Verdict {
	w.t.Helper()
	for _, r := range w.engine.Report(peerLease(1).Subnets[0]) {
		if r.Target.Kind == kind {
			return r.Verdict
		}
	}
	w.t.Fatalf("there is no %s path", kind)
	return 0
}

func (w *world) want(kind plan.Kind, v plan.Verdict) {
	w.t.Helper()
	if got := w.verdict(kind); got != v {
		w.t.Errorf("%s at %s: %s, not %s", kind, w.now.Sub(w.engine.start), got, v)
	}
}

// told returns the proof of a path to the first peer as last told.
func (w *world) told(kind plan.Kind) plan.Proof {
	return w.proofs[fmt.Sprint(peerLease(1).Subnets, kind)]
}

// without answers requests by other kinds of path only.
func without(kinds ...plan.Kind) func(Target, int) bool {
	return func(t Target, _ int) bool {
		for _, k := range kinds {
			if t.Kind == k {
				return false
			}
		}
		return true
	}
}

func TestPathPasses(t *testing.T) {
	w := newWorld(t, direct, 3)
	w.run(15 * time.Second)
	w.want(plan.Direct, plan.Passes)
	w.want(plan.Tunnelled, plan.Passes)
	for _, kind := range []plan.Kind{plan.Direct, plan.Tunnelled} {
		if p := w.told(kind); p.Verdict != plan.Passes || p.MTU != 0 || p.Family != netconf.V4 {
			t.Errorf("%s was told as %+v", kind, p)
		}
	}
	r := w.engine.Report(peerLease(1).Subnets[0])[0]
	if r.Loss != 0 || r.RTT != w.rtt || r.Answered.IsZero() || r.Since.IsZero() {
		t.Errorf("reported as %+v", r)
	}
}

func TestLostWithinThreeSeconds(t *testing.T) {
	for _, peers := range []int{1, 3, 20, 50} {
		w := newWorld(t, direct, peers)
		w.run(30 * time.Second)
		w.passes = without(plan.Direct) // to all of them at once, which is the hardest
		w.run(3 * time.Second)
		for i := range peers {
			r := w.engine.Report(peerLease(i + 1).Subnets[0])
			if r[0].Verdict != plan.Lost || r[1].Verdict != plan.Passes {
				t.Errorf("of %d peers number %d: direct %s, tunnel %s", peers, i, r[0].Verdict, r[1].Verdict)
			}
		}
		if p := w.told(plan.Direct); p.Verdict != plan.Lost {
			t.Errorf("%d peers: told as %+v", peers, p)
		}
	}
}

// TestNoPathIsLeftForOneThatMayBeLost has two paths fail and recover at random, together
// or by themselves, and looks at each proof that would have packets leave a path: the other
// one has answered a request that was sent after the first that the lost one missed.
func TestNoPathIsLeftForOneThatMayBeLost(t *testing.T) {
	left := 0
	for seed := range uint64(50) {
		w := newWorld(t, direct, 1)
		w.rng = rand.New(rand.NewPCG(seed, 9))
		w.rtt = time.Duration(1+w.rng.IntN(200)) * time.Millisecond
		w.run(10*time.Second + time.Duration(w.rng.Int64N(int64(time.Second))))
		var answered, missing map[plan.Kind]time.Time // the last request answered; the first of the last ones that were not
		answered, missing = map[plan.Kind]time.Time{}, map[plan.Kind]time.Time{}
		dead := map[plan.Kind]bool{}
		w.passes = func(t Target, size int) bool {
			switch {
			case size > Small:
			case !dead[t.Kind]:
				answered[t.Kind] = w.now
				delete(missing, t.Kind)
			case missing[t.Kind].IsZero():
				missing[t.Kind] = w.now
			}
			return !dead[t.Kind]
		}
		for range 30 {
			both := w.rng.IntN(3) > 0
			dead[plan.Direct] = w.rng.IntN(2) == 0
			dead[plan.Tunnelled] = both && dead[plan.Direct]
			was := w.told(plan.Direct).Verdict
			for end := w.now.Add(time.Duration(w.rng.Int64N(int64(20 * time.Second)))); w.now.Before(end); {
				w.run(25 * time.Millisecond)
				now := w.told(plan.Direct).Verdict
				if was == plan.Passes && now == plan.Lost && w.told(plan.Tunnelled).Verdict == plan.Passes {
					left++
					if first := missing[plan.Direct]; !first.IsZero() && answered[plan.Tunnelled].Before(first) {
						t.Fatalf("seed %d: left the direct path at %s, which misses answers since %s, for the tunnel, which has answered at %s", seed,
							w.now.Sub(w.engine.start), first.Sub(w.engine.start), answered[plan.Tunnelled].Sub(w.engine.start))
					}
				}
				was = now
			}
		}
	}
	if left < 50 {
		t.Errorf("a path was left %d times", left)
	}
}

// TestDeadHostKeepsItsPath lets a host die at any moment: both paths are lost, and no
// proof between would have packets take the tunnel.
func TestDeadHostKeepsItsPath(t *testing.T) {
	for phase := range 40 {
		w := newWorld(t, direct, 1)
		w.run(20*time.Second + time.Duration(phase)*130*time.Millisecond)
		w.passes = without(plan.Direct, plan.Tunnelled)
		for range 300 {
			w.run(10 * time.Millisecond)
			if w.told(plan.Direct).Verdict == plan.Lost && w.told(plan.Tunnelled).Verdict != plan.Lost {
				t.Fatalf("phase %d: the tunnel is taken", phase)
			}
		}
		if d, v := w.told(plan.Direct).Verdict, w.told(plan.Tunnelled).Verdict; d != plan.Lost || v != plan.Lost {
			t.Errorf("phase %d: direct %s, tunnel %s 3 seconds after the host died", phase, d, v)
		}
	}
}

// TestPathBesideThatCannotBeAsked has nothing sent by the tunnel when the direct path
// fails: what was known of the tunnel does not count.
func TestPathBesideThatCannotBeAsked(t *testing.T) {
	w := newWorld(t, direct, 1)
	w.run(20 * time.Second)
	w.passes = without(plan.Direct)
	w.outcome = func(t Target, _ int) Outcome {
		if t.Kind == plan.Tunnelled {
			return Unsent
		}
		return Sent
	}
	w.run(5 * time.Second)
	w.want(plan.Direct, plan.Lost)
	w.want(plan.Tunnelled, plan.Unmeasured)
	if p := w.told(plan.Tunnelled); p.Verdict != plan.Unmeasured {
		t.Errorf("told as %+v", p)
	}
	w.outcome = nil
	w.run(10 * time.Second)
	w.want(plan.Tunnelled, plan.Passes)
}

func TestBackOnlyWhenGoodForAWhile(t *testing.T) {
	w := newWorld(t, direct, 2)
	w.run(20 * time.Second)
	hold := firstHold
	for range 7 {
		w.passes = without(plan.Direct)
		w.run(4 * time.Second)
		w.want(plan.Direct, plan.Lost)
		w.passes = without()
		w.run(hold - time.Second)
		w.want(plan.Direct, plan.Lost)
		w.run(8 * time.Second)
		w.want(plan.Direct, plan.Passes)
		hold = min(2*hold, longestHold)
	}
	w.run(forgiveAfter)
	w.passes = without(plan.Direct)
	w.run(4 * time.Second)
	w.passes = without()
	w.run(firstHold + 8*time.Second)
	w.want(plan.Direct, plan.Passes)
}

func TestDeadHostIsBackAtOnce(t *testing.T) {
	w := newWorld(t, direct, 2)
	w.run(20 * time.Second)
	w.passes = without(plan.Direct, plan.Tunnelled)
	w.run(12 * time.Second)
	w.want(plan.Direct, plan.Lost)
	w.want(plan.Tunnelled, plan.Lost)
	w.passes = without()
	w.run(3 * time.Second)
	w.want(plan.Direct, plan.Passes)
	if p := w.told(plan.Direct); p.Verdict != plan.Passes {
		t.Errorf("told as %+v", p)
	}
}

// TestNoFlapping lets paths come and go at random, and counts how often one is
// said to be back while another path passes.
func TestNoFlapping(t *testing.T) {
	for seed := range uint64(8) {
		w := newWorld(t, direct, 2)
		w.rng = rand.New(rand.NewPCG(seed, 4))
		bad, until := false, w.now
		worst := time.Duration(1+w.rng.IntN(60)) * time.Second
		w.passes = func(t Target, _ int) bool {
			for w.now.After(until) {
				bad = !bad
				until = until.Add(time.Duration(w.rng.Int64N(int64(worst))))
			}
			return t.Kind == plan.Tunnelled || !bad
		}
		back, was := []time.Time{}, plan.Unmeasured
		for range 3600 {
			w.run(time.Second)
			now := w.verdict(plan.Direct)
			if was == plan.Lost && now == plan.Passes {
				back = append(back, w.now)
			}
			was = now
			w.want(plan.Tunnelled, w.verdict(plan.Tunnelled))
		}
		// 10, 20, 40, 80, 160 and 300 seconds of waiting fill ten minutes.
		for i := range back {
			if i >= 6 && back[i].Sub(back[i-6]) < forgiveAfter {
				t.Errorf("seed %d: back 7 times within %s", seed, back[i].Sub(back[i-6]))
			}
		}
	}
}

func TestSilentHostIsNoWorseOff(t *testing.T) {
	w := newWorld(t, direct, 2)
	w.passes = func(t Target, _ int) bool { return t.Dest != peerLease(1).Subnets[0].Addr() }
	w.run(5 * time.Minute)
	w.want(plan.Direct, plan.Unmeasured)
	w.want(plan.Tunnelled, plan.Unmeasured)
	if p := w.told(plan.Direct); p.Subnets != nil {
		t.Errorf("told as %+v", p)
	}
}

func TestPathThatNeverPassedWhileAnotherDoes(t *testing.T) {
	w := newWorld(t, direct, 2)
	w.passes = without(plan.Direct)
	w.run(12 * time.Second)
	w.want(plan.Direct, plan.Lost)
	w.want(plan.Tunnelled, plan.Passes)
	first := w.sent[0].at
	for _, s := range w.sent {
		if s.Target.Kind == plan.Direct && s.Target.Dest == peerLease(1).Subnets[0].Addr() {
			first = s.at
			break
		}
	}
	for _, r := range w.engine.Report(peerLease(1).Subnets[0]) {
		if r.Target.Kind == plan.Direct && r.Since.Sub(first) < silentTime {
			t.Errorf("lost after %s", r.Since.Sub(first))
		}
	}
}

func TestNoMoreThanTheBudget(t *testing.T) {
	for _, c := range []struct {
		peers int
		lossy float64
	}{{1, 0}, {30, 0.1}, {50, 1}, {100, 0.5}, {1000, 0.3}, {10000, 0}, {10000, 0.9}} {
		w := newWorld(t, direct, c.peers)
		w.passes = func(Target, int) bool { return w.rng.Float64() >= c.lossy }
		w.run(40 * time.Second)
		w.passes = without(plan.Direct, plan.Tunnelled)
		w.run(20 * time.Second)
		lo := 0
		for hi, s := range w.sent {
			for s.at.Sub(w.sent[lo].at) >= time.Second {
				lo++
			}
			if n := hi - lo + 1; n > 100 {
				t.Fatalf("%d peers, loss %v: %d packets within a second, %s after the start", c.peers, c.lossy, n, s.at.Sub(w.engine.start))
			}
		}
		if n := len(w.sent); n > 65*60 && c.lossy == 0 || n < 30 {
			t.Errorf("%d peers: %d packets in a minute", c.peers, n)
		}
	}
}

func TestEveryPeerHasItsTurn(t *testing.T) {
	w := newWorld(t, direct, 1000)
	seen := map[netip.Addr]bool{}
	w.run(30 * time.Second)
	for _, s := range w.sent {
		seen[s.Target.Dest] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d of 1000 peers were probed", len(seen))
	}
}

func TestNoBurstAtStart(t *testing.T) {
	w := newWorld(t, direct, 50)
	w.run(100 * time.Millisecond)
	if n := len(w.sent); n > 15 {
		t.Errorf("%d packets in the first tenth of a second", n)
	}
}

// TestTenThousandComeUpInFewBatches holds what the plan is told to a few batches.
func TestTenThousandComeUpInFewBatches(t *testing.T) {
	far := `{"Network":"10.0.0.0/8","Backend":{"Type":"vxlan"}}`
	w := newWorld(t, far, 10000)
	w.run(5 * time.Minute)
	if w.batches != 0 {
		t.Errorf("%d batches about paths that have no alternative", w.batches)
	}
	w = newWorld(t, direct, 500)
	w.run(time.Minute)
	if len(w.proofs) < 500 || w.batches > 35 {
		t.Errorf("%d proofs in %d batches", len(w.proofs), w.batches)
	}
}

func TestForgetsWhatHasGone(t *testing.T) {
	w := newWorld(t, direct, 3)
	w.run(15 * time.Second)
	w.setPeers(0)
	w.run(time.Second)
	if p := w.told(plan.Direct); p.Verdict != plan.Unmeasured {
		t.Errorf("told as %+v", p)
	}
	if len(w.engine.pairs) != 0 {
		t.Errorf("still knows %d", len(w.engine.pairs))
	}
}

func TestPathThatLeadsElsewhereIsUnmeasured(t *testing.T) {
	w := newWorld(t, direct, 1)
	w.run(15 * time.Second)
	moved := peerLease(1)
	moved.Public = []netip.Addr{netip.MustParseAddr("192.168.9.9")}
	w.in.Peers = lease.SetOf(moved)
	w.passes = without(plan.Direct, plan.Tunnelled)
	w.update(time.Second)
	w.run(3 * time.Second)
	w.want(plan.Direct, plan.Unmeasured)
	if p := w.told(plan.Direct); p.Verdict != plan.Unmeasured {
		t.Errorf("told as %+v", p)
	}
}

func TestSwitchedOff(t *testing.T) {
	w := newWorld(t, direct, 3)
	w.run(15 * time.Second)
	w.update(0)
	n := len(w.sent)
	w.run(time.Minute)
	if len(w.sent) != n {
		t.Errorf("%d packets were sent", len(w.sent)-n)
	}
	if p := w.told(plan.Direct); p.Verdict != plan.Unmeasured {
		t.Errorf("told as %+v", p)
	}
	w.update(time.Second)
	w.run(5 * time.Second)
	w.want(plan.Direct, plan.Passes)
}

func TestSlowedDown(t *testing.T) {
	w := newWorld(t, direct, 3)
	w.update(10 * time.Second)
	w.run(10 * time.Minute)
	if n := len(w.sent); n > 3*60*2 {
		t.Errorf("%d packets in ten minutes", n)
	}
}

// TestPausedAgentLosesNothing lets the agent stand still with requests on their way.
func TestPausedAgentLosesNothing(t *testing.T) {
	w := newWorld(t, direct, 3)
	w.run(20 * time.Second)
	w.now = w.now.Add(30 * time.Second)
	w.run(time.Second)
	w.want(plan.Direct, plan.Passes)
	if r := w.engine.Report(peerLease(1).Subnets[0])[0]; r.Loss != 0 {
		t.Errorf("loss of %v", r.Loss)
	}
}

func TestLateAnswersAreAnswers(t *testing.T) {
	w := newWorld(t, direct, 1)
	w.run(20 * time.Second)
	w.rtt = 600 * time.Millisecond // all of a sudden
	w.run(30 * time.Second)
	w.want(plan.Direct, plan.Passes)
}

func TestRequestThatCannotBeSent(t *testing.T) {
	w := newWorld(t, direct, 1)
	w.outcome = func(t Target, _ int) Outcome {
		if t.Kind == plan.Direct {
			return NoWay
		}
		return Sent
	}
	w.run(20 * time.Second)
	w.want(plan.Direct, plan.Unmeasured) // there is no route yet
	w.outcome = nil
	w.run(20 * time.Second)
	w.want(plan.Direct, plan.Passes)
	w.outcome = func(t Target, _ int) Outcome { return NoWay }
	w.run(20 * time.Second)
	w.want(plan.Direct, plan.Lost) // there is none any more
}

func TestForeignAnswersAreNotHeeded(t *testing.T) {
	w := newWorld(t, direct, 1)
	w.passes = without(plan.Direct, plan.Tunnelled)
	w.run(time.Second)
	for seq := range w.engine.flying {
		if w.engine.Answer(Answer{Seq: seq, From: netip.MustParseAddr("192.168.77.7")}, w.now) {
			t.Error("an answer from elsewhere was taken")
		}
		if !w.engine.Answer(Answer{Seq: seq, From: peerLease(1).Public[0]}, w.now) {
			t.Error("an answer from the peer's public address was not taken")
		}
	}
}

func TestSlower(t *testing.T) {
	w := newWorld(t, direct, 1)
	w.run(6 * time.Minute)
	w.rtt = 4 * time.Millisecond // three times as much, but little
	w.run(2 * time.Minute)
	if len(w.slower) > 0 {
		t.Errorf("%+v", w.slower)
	}
	w.rtt = 40 * time.Millisecond
	w.run(4 * time.Minute)
	if len(w.slower) != 2 || w.slower[0].Kind == w.slower[1].Kind || w.slower[0].To != w.rtt { // each path once
		t.Errorf("%+v", w.slower)
	}
}
