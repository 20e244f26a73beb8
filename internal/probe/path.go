package probe

import (
	"net/netip"
	"time"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
)

// Pace, in visits of a peer. A visit is about a second, or longer if there are
// many peers.
const (
	otherEvery = 5  // visits: a path that is not in use
	fullEvery  = 10 // visits: a packet of full size
)

// pair is the paths to one peer's subnet of one family: direct and by tunnel,
// or one of them.
type pair struct {
	subnets []netip.Prefix // the lease's
	family  netconf.Family
	paths   []*path // the preferred one first
}

// find returns the path of a kind, or nil.
func (p *pair) find(kind plan.Kind) *path {
	for _, one := range p.paths {
		if one.target.Kind == kind {
			return one
		}
	}
	return nil
}

// path is all that is known of a path.
type path struct {
	pair   *pair
	target Target
	history
	judge
	sizes

	visits   uint32
	nextFull uint32 // visit
	phase    uint8  // in which visits of otherEvery the path is probed while it is not in use
	small    bool   // a small packet is on its way
	large    bool   // a large one
	pending  bool   // see Engine.news
	told     told
}

// told is what was last said of a path to others.
type told struct {
	verdict plan.Verdict
	mtu     int32
}

// newPath returns a path of which nothing is known. spread is from 0 to 1 and
// keeps the paths from doing the same at the same time.
func newPath(p *pair, t Target, spread float64) *path {
	return &path{pair: p, target: t, nextFull: 2, phase: uint8(spread * otherEvery)}
}

// wantsSmall reports whether this visit is one to send a small packet. What has
// begun to come back is looked at more often.
func (p *path) wantsSmall() bool {
	return !p.small && (p.target.InUse || p.visits == 1 || p.visits%otherEvery == uint32(p.phase) || p.verdict == plan.Lost && p.answers > 0)
}

// wantsLarge reports whether it is one to send a packet of full size.
func (p *path) wantsLarge() bool {
	return !p.large && p.verdict == plan.Passes && p.visits >= p.nextFull
}

// otherPasses reports whether another path to the same peer is known to pass.
func (p *path) otherPasses() (yes bool, rtt time.Duration) {
	for _, o := range p.pair.paths {
		if o != p && o.verdict == plan.Passes && o.judge.misses == 0 {
			return true, o.rtt()
		}
	}
	return false, 0
}

// patience is how long the path may take to answer. One that never answered is
// measured by its neighbour.
func (p *path) patience() time.Duration {
	rtt := p.rtt()
	if _, other := p.otherPasses(); rtt == 0 {
		rtt = other
	}
	return patience(rtt)
}

// mark goes over the paths to the peer after p was lost, or is back. A peer that
// is reached by none is taken for dead: when it comes back, it is not p's fault.
func (p *path) mark(now time.Duration) {
	all := p.pair.paths
	if p.verdict == plan.Passes {
		for _, o := range all {
			o.deadUntil = min(o.deadUntil, now+firstHold)
		}
		return
	}
	for _, o := range all {
		if o.verdict == plan.Passes {
			return
		}
	}
	for _, o := range all {
		o.deadUntil = forever
	}
}

// proof is what is known, for the plan.
func (p *path) proof() plan.Proof {
	return plan.Proof{
		Subnets: p.pair.subnets, Family: p.pair.family, Kind: p.target.Kind, Verdict: p.verdict, MTU: int(p.mtu),
	}
}
