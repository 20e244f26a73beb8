package status

import (
	"slices"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
)

// refused returns how many packets a Strict network's routes have refused, nil if
// it is not Strict or if that cannot be read now.
func (b *Board) refused() *uint64 {
	return b.counted(func(r netstate.Body) bool { return r.Unrouted })
}

// encryption counts the peers of s, which is described, to which all packets travel
// encrypted. It wants b.mu held.
func (b *Board) encryption(s *api.Status, in plan.Input, refused *uint64) *api.Encryption {
	if b.view.Desired == nil {
		return nil
	}
	device := ""
	for l := range b.view.Desired.Links.All() {
		if l.Kind == netstate.KindWireGuard {
			device = l.Name
			break
		}
	}
	if device == "" && in.Net.Backend.Type != plan.WireGuard {
		return nil
	}
	out := &api.Encryption{Peers: len(s.Peers), By: api.ByKernel, Strict: in.Net.Strict(), Refused: refused}
	if b.opts.UserSpace != nil && b.opts.UserSpace(device) {
		out.By = api.ByUserSpace
	}
	for _, p := range s.Peers {
		if encrypted(p, b.last.Overtaken) {
			out.Encrypted++
		}
	}
	return out
}

// encrypted reports whether all packets to p travel encrypted. Foreign routes take some of
// them elsewhere.
func encrypted(p api.Peer, foreign []netstate.Route) bool {
	clear := func(path api.Path) bool {
		return path.Kind != string(plan.Encrypted) ||
			slices.ContainsFunc(foreign, func(r netstate.Route) bool { return r.Dst.Overlaps(path.Subnet) })
	}
	return len(p.Paths) > 0 && !slices.ContainsFunc(p.Paths, clear)
}
