// Package reconcile makes the kernel equal to a desired state and keeps it so.
// It knows neither leases nor backends: states come in, changes go out
// through the Kernel interface.
package reconcile

import (
	"context"

	"github.com/weft-net/weft/internal/netstate"
)

// Kernel is the one edge to the system's network.
type Kernel interface {
	// Observe returns the objects of kinds that lie in scope: ours, and foreign
	// ones that stand in the place of ours (a device with one of scope's names
	// but another kind; a route of another protocol into scope's networks).
	// Tables of other kinds are empty. A dump that the kernel interrupted is
	// repeated.
	Observe(ctx context.Context, scope netstate.Scope, kinds netstate.Kinds) (*netstate.State, error)

	// Apply carries out ops in their order, goes on after a failure, and
	// returns one error for each op, nil where it succeeded; the error says
	// what was attempted on which object. Adding what is there and removing
	// what is gone succeed.
	Apply(ctx context.Context, ops []netstate.Op) []error

	// Watch calls fn for every change the kernel reports until ctx ends, and
	// with Event{} when reports were lost. It calls fn(Event{}) once when it
	// has begun to listen, so that nothing between an Observe and the start
	// of Watch is missed.
	Watch(ctx context.Context, fn func(netstate.Event)) error
}
