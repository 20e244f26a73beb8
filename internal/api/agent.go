package api

import "github.com/weft-net/weft/internal/netstate"

// Agent is what the interface needs of a running agent. All methods are safe
// for concurrent use and return at once.
type Agent interface {
	Status() Status
	// Plan returns the desired state; nil before
	// the first plan. It must not be changed.
	Plan() *netstate.State
	// Paths returns all paths to peers, also those that are not in use.
	Paths() []PeerPath
	// Events returns the kept events whose number is greater than after,
	// oldest first.
	Events(after int64) []Event
	// Ready returns nil while the lease is held and the last pass left none
	// of weft's objects in error, else the reason.
	Ready() error
	// Warning returns a problem for which packets can be lost, "" if none is
	// known, at a cost that does not grow with the peers.
	Warning() string
}
