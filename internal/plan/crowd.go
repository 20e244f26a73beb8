package plan

import (
	"fmt"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
)

// near reports whether the kernel keeps a neighbour for p's address: packets to
// p, in a tunnel or not, leave on the uplink's own link.
func (b *basis) near(f netconf.Family, p *peer) bool {
	addr, ok := p.PublicAddr(f)
	return ok && onLink(b.in.Host.Uplink.OnLink, addr)
}

// countNear counts the peers that are near.
func (b *basis) countNear(f netconf.Family, peers []*peer) (n int) {
	for _, p := range peers {
		if b.near(f, p) {
			n++
		}
	}
	return n
}

// crowded returns the problem of a host with so many peers nearby, if it is one.
// The kernel keeps no more neighbours than gc_thresh3, permanent ones aside, and
// drops packets to further ones ("neighbor table overflow").
func (b *basis) crowded(f netconf.Family, nearby int) (l line, ok bool) {
	limit := b.in.Host.Params.Number(host.NeighLimit(f))
	if limit == 0 || nearby < limit {
		return line{}, false
	}
	err := fmt.Errorf("net.%[1]s.neigh.default.gc_thresh3=%[2]d: as many peers or more are in directly connected subnets of %[3]s, and the kernel drops packets to those beyond; "+
		"raise it with: sysctl -w net.%[1]s.neigh.default.gc_thresh3=%[4]d net.%[1]s.neigh.default.gc_thresh2=%[5]d", f, limit, b.in.Host.Uplink.Name, 4*limit, 2*limit)
	return line{Problem: Problem{Subject: parameterSubject, Err: err}, text: err.Error(), family: f}, true
}

// count brings the number of peers nearby up to date, and what follows from it.
func (u *amendment) count() {
	before, was := u.crowded(u.family, u.nearby)
	u.nearby += u.countNear(u.family, u.come) - u.countNear(u.family, u.gone)
	after, is := u.crowded(u.family, u.nearby)
	switch {
	case is && !was:
		u.edits.lines.Put(after)
	case was && !is:
		u.edits.lines.Remove(before)
	}
}
