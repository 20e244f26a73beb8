package fastpath

// What becomes of a packet between a pod of this host and a remote subnet:
// enum outcome of bpf/types.h.
const (
	fast = iota
	slowNAT
	slowTracked
	slowPolicy
	slowSize
	slowFragment
	slowOptions
	slowTTL
	slowProtocol
	slowSource
	slowDestination
	slowTunnel
	slowNeighbour
	slowOther
	outcomes
)

// Modes of bpf/types.h.
const (
	modeAll         = 1
	modeEstablished = 2
)
