package reconcile

import (
	"fmt"
	"slices"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/sorted"
)

// fewRoutes is how many routes may go without a second thought.
const fewRoutes = 8

// brake returns why want must not be applied: most routes to peers that stand
// would go, by themselves or with their devices, while most leases are still
// there. That is a mistake in the plan or in what it was made of, and a mistake
// must not take the network down.
func brake(have netstate.Actual, want Want) error {
	stand := have.Routes.Len() - have.Foreign()
	if 2*want.State.Routes.Len() >= want.Peers {
		return nil
	}
	gone := 0
	for c := range sorted.Diff(have.Routes, want.State.Routes) {
		if c.New == nil && !c.Old.Foreign() {
			gone++
		}
	}
	if gone < fewRoutes || 2*gone <= stand {
		return nil
	}
	return fmt.Errorf("the plan would remove %d of %d routes to peers although there are %d leases; it is not applied. "+
		"If that is intended: stop the agent, run 'weft clean', start it again", gone, stand, want.Peers)
}

// careful returns ops without what a copy of the snapshot must not do:
// remove, or put something older in the place of what stands of a peer.
func careful(ops []netstate.Op) []netstate.Op {
	again := hostsIn(ops) // among them those that are removed to be made anew
	return slices.DeleteFunc(ops, func(o netstate.Op) bool {
		switch have := o.Have.(type) {
		case netstate.Route:
			return !have.Foreign()
		case netstate.Neigh, netstate.FDB, netstate.Peer, netstate.Allowed, netstate.Element:
			return true
		case netstate.Link, netstate.NFTable:
			return o.Verb == netstate.Remove && again[netstate.Identity(have)].Verb == netstate.Remove
		}
		return o.Verb == netstate.Remove
	})
}
