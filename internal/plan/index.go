package plan

import (
	"cmp"
	"net/netip"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/sorted"
)

// index finds the peers of one family by what they may have in common with
// others: addresses of their subnets, a public address, a tunnel MAC.
type index struct {
	fit      sorted.Set[bySubnet] // nothing is wrong with them by themselves
	admitted sorted.Set[bySubnet] // of those, the ones whose subnets are routed; no two overlap
	public   sorted.Set[byPublic] // the admitted
	ends     sorted.Set[tunnelEnd]
	nearby   int      // of the admitted: the kernel keeps a neighbour for each
	lengths  [129]int // number of fit peers by length of the subnet, so that wider ones are found
}

type bySubnet struct{ *peer }

// Compare orders as peers are.
func (e bySubnet) Compare(o bySubnet) int { return e.compare(o.peer) }

type byPublic struct {
	addr netip.Addr
	*peer
}

// Compare orders by address. The first peer of each is the one that the others
// are compared with.
func (e byPublic) Compare(o byPublic) int {
	if c := e.addr.Compare(o.addr); c != 0 {
		return c
	}
	return e.compare(o.peer)
}

// at returns a probe that comes before all peers with that subnet, and after
// those with a lesser one.
func at(subnet netip.Prefix) *peer { return &peer{Lease: &lease.Lease{}, subnet: subnet} }

// least comes before all peers.
var least = at(netip.Prefix{})

// index makes the indexes of the last whole plan.
func (p *Planner) index() {
	p.lines, p.faults, p.keys = p.draft.allLines(), sorted.Of(p.draft.faults...), p.draft.keys
	p.families = map[netconf.Family]*index{}
	for f, d := range p.draft.families {
		x := &index{nearby: d.nearby, fit: indexed(d.fit), admitted: indexed(d.admitted), ends: sorted.FromOrdered(d.ends)}
		var public []byPublic
		for _, one := range d.admitted {
			if a, ok := one.PublicAddr(f); ok {
				public = append(public, byPublic{a, one})
			}
		}
		x.public = sorted.Of(public...)
		for _, one := range d.fit {
			x.lengths[one.subnet.Bits()]++
		}
		p.families[f] = x
	}
	p.draft = nil
}

func indexed(peers []*peer) sorted.Set[bySubnet] {
	out := make([]bySubnet, len(peers))
	for i, p := range peers {
		out[i] = bySubnet{p}
	}
	return sorted.FromOrdered(out)
}

// overlapping returns the fit peers whose subnets overlap that of p, but for p,
// if p outranks them.
func (x *index) overlapping(p *peer) []*peer {
	var out []*peer
	for bits := range p.subnet.Bits() {
		if x.lengths[bits] == 0 {
			continue
		}
		wide := netip.PrefixFrom(p.subnet.Addr(), bits).Masked()
		for o := range x.fit.From(bySubnet{at(wide)}) {
			if o.subnet != wide {
				break
			}
			out = outranked(out, p, o.peer)
		}
	}
	for o := range x.fit.From(bySubnet{at(p.subnet)}) {
		if !p.subnet.Contains(o.subnet.Addr()) {
			break
		}
		out = outranked(out, p, o.peer)
	}
	return out
}

func outranked(out []*peer, p, o *peer) []*peer {
	if p.rank(o) < 0 {
		out = append(out, o)
	}
	return out
}

// rival returns the admitted peer that outranks p and overlaps it: of several
// the first; nil if there is none, and then those that p would displace.
func (x *index) rival(p *peer) (rival *peer, displaced []*peer) {
	// Since admitted peers do not overlap each other, one that contains p
	// comes just before it, and is the only one.
	for o := range x.admitted.Backward(bySubnet{p}) {
		if !o.subnet.Overlaps(p.subnet) {
			break
		}
		if o.rank(p) < 0 {
			return o.peer, nil
		}
		return nil, []*peer{o.peer}
	}
	for o := range x.admitted.From(bySubnet{p}) {
		switch {
		case !p.subnet.Contains(o.subnet.Addr()):
			return nil, displaced
		case o.rank(p) < 0:
			return o.peer, nil
		case o.compare(p) != 0:
			displaced = append(displaced, o.peer)
		}
	}
	return nil, displaced
}

// announcing returns the first admitted peer that announces a, or nil.
func (x *index) announcing(a netip.Addr) *peer {
	for e := range x.public.From(byPublic{a, least}) {
		if e.addr == a {
			return e.peer
		}
		break
	}
	return nil
}

// holder returns the peer that holds a tunnel MAC, or nil.
func (x *index) holder(mac uint64) *peer {
	for e := range x.ends.From(tunnelEnd{mac: mac, peer: least}) {
		if cmp.Compare(e.mac, mac) == 0 {
			return e.peer
		}
		break
	}
	return nil
}
