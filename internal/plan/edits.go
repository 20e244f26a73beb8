package plan

import (
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/sorted"
)

// edits gathers changes of a state and of the faults that go with it.
type edits struct {
	base     *netstate.State
	neighs   *sorted.Editor[netstate.Neigh]
	fdb      *sorted.Editor[netstate.FDB]
	peers    *sorted.Editor[netstate.Peer]
	allowed  *sorted.Editor[netstate.Allowed]
	routes   *sorted.Editor[netstate.Route]
	remotes  *sorted.Editor[netstate.FastRemote]
	elements *sorted.Editor[netstate.Element]
	faults   *sorted.Editor[fault]
	lines    *sorted.Editor[line]
}

func edit(s *netstate.State, faults sorted.Set[fault], lines sorted.Set[line]) *edits {
	return &edits{
		base: s, faults: faults.Edit(), lines: lines.Edit(), neighs: s.Neighs.Edit(), fdb: s.FDB.Edit(),
		peers: s.Peers.Edit(), allowed: s.Allowed.Edit(), routes: s.Routes.Edit(), remotes: s.Fast.Remotes.Edit(), elements: s.Firewall.Elements.Edit(),
	}
}

// result returns what has become of the arguments of edit.
func (e *edits) result() (*netstate.State, sorted.Set[fault], sorted.Set[line]) {
	s := e.base.Clone()
	s.Peers, s.Allowed = e.peers.Set(), e.allowed.Set()
	s.Neighs, s.FDB, s.Routes, s.Firewall.Elements = e.neighs.Set(), e.fdb.Set(), e.routes.Set(), e.elements.Set()
	s.Fast.Remotes = e.remotes.Set()
	return s, e.faults.Set(), e.lines.Set()
}

// fault sets what is wrong with a peer, or takes it back if x has no error.
func (e *edits) fault(x fault) {
	have, ok := e.faults.Find(x)
	if x.err == nil && !ok || x.err != nil && ok && have.err.Error() == x.err.Error() {
		return
	}
	if ok {
		e.lines.Remove(have.line())
		e.faults.Remove(have)
	}
	if x.err != nil {
		e.lines.Put(x.line())
		e.faults.Put(x)
	}
}
