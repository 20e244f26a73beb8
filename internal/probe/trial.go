package probe

import (
	"time"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
)

// Trial is a packet that the peer's kernel refuses if it arrives with a right
// checksum: a UDP datagram or the start of a TCP connection to a port on which
// nobody listens.
type Trial struct {
	ID      uint16 // below TrialIDs
	TCP     bool   // not UDP
	Offload bool   // whoever sends the frame is to complete the checksum
	Target  Target
}

// TrialIDs bounds the ids of trials.
const TrialIDs = 90

// tally counts trials of one protocol, those that were refused behind the slash.
type tally struct{ offloaded, complete struct{ sent, refused uint8 } }

func (t *tally) of(offload bool) *struct{ sent, refused uint8 } {
	if offload {
		return &t.offloaded
	}
	return &t.complete
}

const (
	trialCycles = 8 // of four trials: each protocol, either checksum
	trialEnough = 6 // complete ones that were refused, while no other one was

	// silentCycles is after how many of them a protocol is given up of which nothing
	// was refused: a firewall drops it.
	silentCycles = 3

	trialPause    = 300 * time.Millisecond // between trials to one peer: kernels refuse UDP about once a second
	trialPatience = 2 * time.Second        // for a refusal
)

// sound reports whether hardware completes checksums: one packet is proof.
func (t *tally) sound() bool { return t.offloaded.refused > 0 }

// wrong reports whether it does not: again and again just those packets arrived
// whose checksum the kernel had computed.
func (t *tally) wrong() bool {
	return t.offloaded.refused == 0 && t.offloaded.sent >= trialEnough && t.complete.refused >= trialEnough
}

// suspect reports whether it may not: only packets arrived whose checksum the kernel
// had computed.
func (t *tally) suspect() bool { return t.offloaded.refused == 0 && t.complete.refused > 0 }

// settled reports whether more trials would add nothing after so many cycles.
func (t *tally) settled(cycles int) bool {
	return t.sound() || cycles >= silentCycles && t.complete.refused == 0
}

// trialRun is the trials of one peer.
type trialRun struct {
	path  *path
	next  time.Duration // when to go on
	step  int           // trials that were sent or passed over
	udp   tally
	tcp   tally
	ended bool // but for late refusals
}

func (r *trialRun) tally(tcp bool) *tally {
	if tcp {
		return &r.tcp
	}
	return &r.udp
}

// following returns the trial to send now, without an id; false if there is none
// left. In every other cycle the complete ones come first. At the beginning of all
// the two that show that nothing is wrong are on their own: mostly they do.
func (r *trialRun) following() (t Trial, ok bool) {
	for ; r.step < 4*trialCycles; r.step++ {
		cycle, place := r.step/4, r.step%4
		t = Trial{TCP: place%2 == 1, Offload: place < 2 == (cycle%2 == 0), Target: r.path.target}
		if !r.tally(t.TCP).settled(cycle) {
			return t, true
		}
	}
	return Trial{}, false
}

// sent counts a trial, and says when to go on.
func (r *trialRun) sent(t Trial, at time.Duration) {
	r.tally(t.TCP).of(t.Offload).sent++
	r.step++
	r.next = at + trialPause
	if r.step == 2 {
		r.next = at + r.path.patience()
	}
}

// ChecksumState is what trials say of this host's tunnel in one family.
type ChecksumState uint8

// The states.
const (
	Untried ChecksumState = iota // no peer has told by now
	Sound                        // what leaves with a checksum to be completed arrives
	Wrong                        // it does not
)

// ChecksumReport is what is known of the checksums of packets that leave by a
// tunnel.
type ChecksumReport struct {
	Family netconf.Family
	State  ChecksumState
	Tried  time.Time     // last; zero: never
	Found  plan.Checksum // if Wrong
}
