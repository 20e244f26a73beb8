// Package store says what weft keeps outside the host: the network config
// document and the leases of all hosts. Implementations live in subpackages
// and all pass storetest. A store hands out whole snapshots; nothing above it
// knows about keys, watches or compaction.
package store

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// Snapshot is the store's content at one revision.
type Snapshot struct {
	Revision       int64  // of the whole snapshot
	ConfigRevision int64  // of the last change of the config; 0 if there is none
	Config         []byte // the config document as stored; nil if there is none
	NoConfig       error  // why there is no config, if the store knows
	Leases         lease.Set
	Former         []netconf.Previous // networks of earlier configs, in which leases drain; sorted
	Hosts          lease.HostSet      // what hosts say of themselves; flannel's say nothing
	Bad            []Entry            // keys among the leases that cannot be read as one
	Notes          []Entry            // keys that weft may not use, and what is lost by that; no packet is
	Assigned       *Assignment        // what the store's system says of this host; nil where hosts choose their subnets
}

// Assignment is what a system that assigns subnets to hosts by itself, as
// Kubernetes does, says of this host. All is empty where it is unknown
// which host this is. The config's subnet lengths and bounds mean nothing there.
type Assignment struct {
	Subnets []netip.Prefix // the host's, v4 first; empty: none yet
	Attrs   lease.Attrs    // what the host announced last; zero: nothing yet
	Uplink  []netip.Addr   // by which to find the uplink and what to announce, as --public-ip
	Node    []netip.Addr   // by which the system knows the host; the default of what to announce
}

// Entry is a stored key that could not be read.
type Entry struct {
	Key string
	Err error
}

// Update is what Follow hands on: a new snapshot, or the news that the store
// is unreachable (Err set, Snapshot nil). The next snapshot ends the outage.
type Update struct {
	Snapshot *Snapshot
	Err      error
}

// Store is one network's config and leases. All methods are safe for
// concurrent use, give up with a clear error when the store does not answer
// in time, and return early when ctx ends.
type Store interface {
	// Snapshot reads everything, in a constant number of round trips, and one
	// more for each page of a large network.
	Snapshot(ctx context.Context) (Snapshot, error)

	// Follow calls fn with the present snapshot and then after every change;
	// changes that pile up while fn runs arrive as one snapshot. It reconnects
	// by itself and returns only when ctx ends, with ctx's error.
	Follow(ctx context.Context, fn func(Update)) error

	// Acquire gets claim's owner a lease on net: its own again if it still
	// fits, else the preferred subnet, else a free one (lease.Choose). A former
	// lease that fits no longer stays until its time is over, with claim's
	// attributes, and the network it lies in is recorded for as long. Acquire
	// retries lost races until ctx ends. A lease that may be a running agent's
	// is acquired only after that was asked and was silent for some seconds
	// (lease.ContestedError). After a refusal the same claim may wait before it
	// is tried again. Errors: ErrExhausted, *AddressTakenError, *CloneError.
	Acquire(ctx context.Context, net netconf.Network, claim lease.Claim) (lease.Lease, error)

	// Hold keeps l for its owner: renews it margin before it ends, sees to it
	// that it says what the last Acquire announced, and returns ErrLost as soon
	// as the lease is gone or is another host's, or, in a store that cannot
	// restore it, says something else. A program that changes it again and
	// again is answered more and more slowly. Store outages do not end Hold.
	// When ctx ends the lease stays.
	Hold(ctx context.Context, l lease.Lease, owner lease.Owner, margin time.Duration) error

	// Where another system assigns subnets and keeps the config, as Kubernetes
	// does, SetConfig, Reserve and Release fail with errors.ErrUnsupported and
	// say what to use instead, and Acquire gets what was assigned.

	// SetConfig stores doc if the config is still at revision rev as read
	// from a snapshot (0: there is none yet; AnyRevision: whatever is there).
	// A lost race is ErrConflict.
	SetConfig(ctx context.Context, doc []byte, rev int64) error

	// Reserve stores l without a time to live. A lease of the same subnet
	// becomes the reservation; another owner's attributes stay as they are
	// when l announces nothing.
	Reserve(ctx context.Context, l lease.Lease) error

	// Release deletes the lease or reservation of exactly these subnets and
	// the owner's record beside it. ErrNotFound if there is none.
	Release(ctx context.Context, subnets []netip.Prefix) error

	// Redial drops the connections and makes new ones. It is for a host whose
	// address has changed: on the old connections nothing would ever arrive,
	// and that shows only after a long silence.
	Redial()

	Close() error
}

// Timer is a Store that can tell how long leases still last. It is apart, and
// not in every snapshot, since it takes a request for each lease.
type Timer interface {
	// Terms sets the TTL of those leases that are stored with a time to live;
	// the others stay as they are.
	Terms(ctx context.Context, leases []lease.Lease) error
}

// Expirer is a Store in which a lease ends unless its host renews it.
type Expirer interface {
	// Expires returns when the lease that is held ends without another renewal;
	// zero if it never does, or if that is not known yet. It asks nobody.
	Expires() time.Time
}

// Describer is a Store in which hosts can say something of themselves.
type Describer interface {
	// Describe stores h beside the lease l for as long as that lives, unless it
	// is there already. ErrLost if l is gone or announces other addresses.
	Describe(ctx context.Context, l lease.Lease, h lease.Host) error
}

// AnyRevision makes SetConfig overwrite whatever is stored.
const AnyRevision int64 = -1

// Errors that callers tell apart.
var (
	ErrExhausted = lease.ErrExhausted
	ErrLost      = errors.New("the lease is no longer this host's")
	ErrConflict  = errors.New("the config has been changed meanwhile")
	ErrNotFound  = errors.New("no such lease")

	// ErrUnreachable is what calls fail with while there is no connection to the
	// server at all. Follow reports the same.
	ErrUnreachable = errors.New("the store is unreachable")
)

// Errors of lease, for callers that only know the store.
type (
	AddressTakenError = lease.AddressTakenError
	CloneError        = lease.CloneError
)

// ExpiryOf returns what tells when the lease held in s ends, nil if the leases of s do not.
func ExpiryOf(s Store) func() time.Time {
	if e, ok := s.(Expirer); ok {
		return e.Expires
	}
	return nil
}
