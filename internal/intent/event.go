package intent

import (
	"fmt"
	"net/netip"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/store"
)

// Event is something that happened. Its String is one line for traces.
type Event interface {
	fmt.Stringer
	event()
}

// StoreChanged says what the store holds now.
type StoreChanged struct{ Snapshot store.Snapshot }

// StoreHealth says whether the store answers: Err is why not. Nothing else tells
// a store that is away from one that has not answered yet.
type StoreHealth struct{ Err error }

// UseCopy says to go by the copy of the last snapshot until the store is
// heard, if there is a copy.
type UseCopy struct{}

// HostChanged says that facts of the host may not hold any more.
type HostChanged struct{}

// HostObserved answers Output.Observe.
type HostObserved struct {
	Query   HostQuery
	Facts   host.Facts
	Devices *netstate.State // found with one of Query.Devices; nil if it could not be told
	Err     error           // why there are no facts
}

// LocksTaken answers Output.Lock.
type LocksTaken struct {
	Locks Locks
	Err   error // who else has one of them
}

// LeaseHeld says that this host has a lease.
type LeaseHeld struct{ Lease lease.Lease }

// PassDone tells how far the kernel has followed. The numbers are of the
// newest generations so far, so that the last PassDone says all.
type PassDone struct {
	Received  uint64 // the newest generation by which this host can be reached
	Converged uint64 // the newest generation that the kernel was equal to

	Overwrote []Parameter // by repairs so far; the last of each
}

// PathsProbed says what probes have shown of the paths to peers by now: all of
// it, so that the last PathsProbed says all.
type PathsProbed struct {
	Proofs    plan.Proofs
	Checksums []plan.Checksum // that were wrong
}

// KeyMade says that there is a new private key for WireGuard, whose public one is Key. It
// is on disk, beside the one in use.
type KeyMade struct{ Key netstate.WGKey }

// Tick says that Output.Wake has come.
type Tick struct{}

func (StoreChanged) event() {}
func (StoreHealth) event()  {}
func (UseCopy) event()      {}
func (HostChanged) event()  {}
func (HostObserved) event() {}
func (LocksTaken) event()   {}
func (LeaseHeld) event()    {}
func (PassDone) event()     {}
func (PathsProbed) event()  {}
func (KeyMade) event()      {}
func (Tick) event()         {}

func (e StoreChanged) String() string {
	return fmt.Sprintf("store changed: revision %d, %d leases, config %s", e.Snapshot.Revision, e.Snapshot.Leases.Len(), e.Snapshot.Config)
}
func (e StoreHealth) String() string {
	if e.Err != nil {
		return "store away: " + e.Err.Error()
	}
	return "store answers"
}
func (UseCopy) String() string     { return "use the copy" }
func (HostChanged) String() string { return "host changed" }
func (e HostObserved) String() string {
	if e.Err != nil {
		return "host observed: " + e.Err.Error()
	}
	return fmt.Sprintf("host observed: uplink %s, addresses %v", e.Facts.Uplink.Name, e.Facts.Public)
}
func (e LocksTaken) String() string {
	if e.Err != nil {
		return "locks refused: " + e.Err.Error()
	}
	return "locks taken"
}
func (e LeaseHeld) String() string { return "lease held: " + lease.FormatSubnets(e.Lease.Subnets) }
func (e PassDone) String() string {
	return fmt.Sprintf("pass done: received %d, converged %d", e.Received, e.Converged)
}
func (e PathsProbed) String() string {
	return fmt.Sprintf("paths probed: %d with an outcome", e.Proofs.Len())
}
func (e KeyMade) String() string { return "key made: " + e.Key.String() }
func (Tick) String() string      { return "tick" }

// HostQuery says how the host's facts are to be found out.
type HostQuery struct {
	Options  host.Options
	Networks []netip.Prefix // interfaces with addresses in these are the overlay's own
	Devices  []string       // names of tunnel devices that an earlier run may have left; nil: of no interest any more
	Current  host.Uplink    // what counts so far; after a restart only the addresses
}

// Locks are what no other agent on this host may have.
type Locks struct {
	Networks []netip.Prefix
	Devices  []string
	Table    string // of the firewall
}
