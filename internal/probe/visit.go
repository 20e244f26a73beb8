package probe

import (
	"net/netip"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// visitNext sends what is due to the peer after the one that was visited last,
// and sets the time of the next visit. Leases without a path cost no time.
func (e *Engine) visitNext(at time.Duration, out []Request) []Request {
	const most = 64 // leases that are passed over at a time
	sent := len(out)
	for range most {
		l, ok := e.following()
		if !ok {
			break
		}
		e.cursor = l.Subnets
		if out = e.visitPeer(&l, at, out); len(out) > sent {
			break
		}
	}
	n := len(out) - sent
	e.cost = max(1, e.cost+(float64(n)-e.cost)/64)
	pause := e.pause()
	e.visit = max(e.visit, at-stride-pause) + time.Duration((0.75+e.random()/2)*float64(pause))
	return out
}

// following returns the lease after the cursor; of the last one, the first.
func (e *Engine) following() (lease.Lease, bool) {
	peers := e.view.Input.Peers
	for l := range peers.From(lease.At(e.cursor)) {
		if lease.CompareSubnets(l.Subnets, e.cursor) != 0 {
			return l, true
		}
	}
	for l := range peers.All() {
		return l, true
	}
	return lease.Lease{}, false
}

// visitPeer sends what is due to a peer.
func (e *Engine) visitPeer(l *lease.Lease, at time.Duration, out []Request) []Request {
	for _, subnet := range l.Subnets {
		f := netconf.FamilyOf(subnet.Addr())
		var targets []Target
		if e.view.Input.Foreign(l) && !l.Vacant() && e.view.Routed(subnet) {
			targets = Targets(e.view.Input, l, f)
		}
		pair := e.renew(l, subnet, f, targets)
		if pair == nil {
			continue
		}
		for i, p := range pair.paths {
			p.target = targets[i]
			if p.wantsSmall() && e.bucket.take(0) {
				out = e.send(p, false, at, out)
			}
			if p.wantsLarge() && e.bucket.take(2) {
				out = e.send(p, true, at, out)
			}
			p.visits++
		}
	}
	return out
}

// renew returns what is known of the paths to a subnet by targets, in their
// order, nil if there are none. What led elsewhere is forgotten.
func (e *Engine) renew(l *lease.Lease, subnet netip.Prefix, f netconf.Family, targets []Target) *pair {
	have := e.pairs[subnet]
	if len(targets) == 0 || have != nil && lease.CompareSubnets(have.subnets, l.Subnets) != 0 {
		e.forget(subnet)
		have = nil
	}
	if len(targets) == 0 {
		return nil
	}
	if have == nil {
		have = &pair{subnets: l.Subnets, family: f}
		e.pairs[subnet] = have
	}
	same := len(have.paths) == len(targets)
	for i := 0; same && i < len(targets); i++ {
		same = have.paths[i].target.sameWay(targets[i])
	}
	if same {
		return have
	}
	var paths []*path
	for _, t := range targets {
		p := have.find(t.Kind)
		if p == nil || !p.target.sameWay(t) {
			p = newPath(have, t, e.random())
		}
		paths = append(paths, p)
	}
	for _, old := range have.paths {
		if !slices.Contains(paths, old) {
			e.retire(old)
		}
	}
	have.paths = paths
	return have
}
