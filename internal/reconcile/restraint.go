package reconcile

import (
	"fmt"
	"slices"

	"github.com/weft-net/weft/internal/netstate"
)

// fewRoutes is how many routes may go without a second thought.
const fewRoutes = 8

// brake returns why ops must not be carried out: most routes to peers that
// stand would go, while most leases are still there. That is a mistake in the
// plan or in what it was made of, and a mistake must not take the network down.
func brake(have netstate.Actual, want Want, ops []netstate.Op) error {
	stand := have.Routes.Len() - have.Foreign()
	gone := 0
	for _, o := range ops {
		if r, ok := o.Row.(netstate.Route); ok && o.Verb == netstate.Remove && !r.Foreign() {
			gone++
		}
	}
	if gone < fewRoutes || 2*gone <= stand || 2*want.State.Routes.Len() >= want.Peers {
		return nil
	}
	return fmt.Errorf("the plan would remove %d of %d routes to peers although there are %d leases; it is not applied. "+
		"If that is intended: stop the agent, run 'weft clean', start it again", gone, stand, want.Peers)
}

// careful returns ops without what a copy of the snapshot must not do:
// remove, or put something older in the place of what stands of a peer.
func careful(ops []netstate.Op) []netstate.Op {
	again := map[string]bool{} // devices that are made anew
	for _, o := range ops {
		if l, ok := o.Row.(netstate.Link); ok && o.Verb == netstate.Add {
			again[l.Name] = true
		}
	}
	return slices.DeleteFunc(ops, func(o netstate.Op) bool {
		switch have := o.Have.(type) {
		case netstate.Route:
			return !have.Foreign()
		case netstate.Neigh, netstate.FDB, netstate.Element:
			return true
		case netstate.Link:
			return o.Verb == netstate.Remove && !again[have.Name]
		}
		return o.Verb == netstate.Remove
	})
}
