package intent

import (
	"net/netip"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/sorted"
	"github.com/weft-net/weft/internal/store"
)

// believed is the content of the store as this host goes by it: the newest
// snapshot, leases that it does not hold any more but that nobody has taken the
// place of, and leases as they were a moment ago, where the host leaves the first
// handshake to a peer. Its cost of a new snapshot is that of what changed.
type believed struct {
	snapshot store.Snapshot // the newest; Config is the last one that there was
	lost     bool           // the store has no config although it had one
	leases   lease.Set      // the snapshot's and the kept ones
	kept     sorted.Set[keptLease]
	index    lease.Index   // of leases
	census   census        // of leases
	late     lease.HostSet // what hosts said of themselves whose leases have vanished
}

// keptLease is a lease that vanished from the store, or that has changed there.
type keptLease struct {
	lease.Lease
	until time.Time // zero: as long as the store has no config
}

// Compare orders by the lease's subnets.
func (k keptLease) Compare(o keptLease) int { return k.Lease.Compare(o.Lease) }

// believe returns what to go by when there was nothing before.
func believe(snap store.Snapshot) believed {
	return believed{snapshot: snap, leases: snap.Leases, index: lease.IndexOf(snap.Leases), census: censusOf(snap.Leases, nil, false)}
}

// under counts the leases anew under another network.
func (b *believed) under(ranges []netconf.Previous, assigned bool) {
	b.census = censusOf(b.leases, ranges, assigned)
}

// manyChanges is the number of changed leases from which on the index and the
// census are cheaper made anew, if it is also a good part of all.
const manyChanges = 100

// update takes in a snapshot. A lease that has vanished is kept for the grace
// period: one that was deleted under its host costs no packet, since the host
// has it again by then. A store without config has lost its data: nobody left
// the network by that, so the last config stays in force and every lease is
// kept until its host has registered again. A peer that switches to wireguard is
// believed two seconds later if it begins the handshake with this host, whose public key is
// own; zero for none.
func (b *believed) update(snap store.Snapshot, grace time.Duration, own netstate.WGKey, now time.Time) {
	lost := snap.Config == nil && b.snapshot.Config != nil
	if b.lost && !lost {
		b.endLoss(now.Add(grace))
	}
	var vanished, come, held []lease.Lease
	for c := range sorted.Diff(b.snapshot.Leases, snap.Leases) {
		b.remember(c)
		switch {
		case c.New == nil:
			vanished = append(vanished, *c.Old)
		case c.Old != nil && plan.AwaitsHandshake(own, c.Old.Attrs, c.New.Attrs):
			held = append(held, *c.Old)
		case c.Old == nil || !c.Old.Same(*c.New):
			come = append(come, *c.New)
		}
	}
	if lost {
		snap.Config, snap.ConfigRevision = b.snapshot.Config, b.snapshot.ConfigRevision
	}
	if n := len(come); n > manyChanges && 10*n > snap.Leases.Len() && b.kept.Len() == 0 {
		b.replace(snap.Leases, slices.Concat(vanished, held))
	} else {
		b.put(come)
	}
	b.snapshot, b.lost = snap, lost
	for _, l := range held {
		b.kept = b.kept.With(keptLease{l, now.Add(handshakeLead)})
	}
	for _, l := range vanished {
		if (grace > 0 || lost) && !b.superseded(l) {
			k := keptLease{Lease: l}
			if !lost {
				k.until = now.Add(grace)
			}
			b.kept = b.kept.With(k)
			continue
		}
		b.remove(l)
	}
	if b.kept.Len() == 0 {
		b.leases = snap.Leases // the same leases, and shared with the store's view of them
	}
}

// remember keeps what a host said of itself after its lease has vanished, until
// there is a lease of the same subnets again.
func (b *believed) remember(c sorted.Change[lease.Lease]) {
	switch {
	case c.New == nil:
		if h, ok := b.snapshot.Hosts.Find(lease.HostOf(c.Old.Subnets)); ok {
			b.late = b.late.With(h)
		}
	case c.Old == nil && b.late.Len() > 0:
		b.late = b.late.Without(lease.HostOf(c.New.Subnets))
	}
}

// nameOf returns the name of l's host, "" if it has told none.
func (b *believed) nameOf(l *lease.Lease) string {
	probe := lease.HostOf(l.Subnets)
	if h, ok := b.snapshot.Hosts.Find(probe); ok {
		return h.Name
	}
	h, _ := b.late.Find(probe)
	return h.Name
}

// replace goes by leases, but as they were by those that have vanished, until it is
// decided on them, and by those that are held back.
func (b *believed) replace(leases lease.Set, before []lease.Lease) {
	all := leases.Edit()
	for _, l := range before {
		all.Put(l)
	}
	b.leases = all.Set()
	b.index, b.census = lease.IndexOf(b.leases), censusOf(b.leases, b.census.ranges, b.census.assigned)
}

// put takes in leases of the store, and removes kept ones that they take the
// place of.
func (b *believed) put(come []lease.Lease) {
	leases := b.leases.Edit()
	for _, l := range come {
		if old, ok := leases.Find(l); ok {
			b.index, b.census = b.index.Replace(old, l), b.census.without(old)
		} else {
			b.index = b.index.With(l)
		}
		b.census = b.census.with(l)
		leases.Put(l)
		b.kept = b.kept.Without(keptLease{Lease: l})
	}
	b.leases = leases.Set()
	if b.kept.Len() == 0 {
		return
	}
	for _, l := range come {
		for _, key := range b.index.Rivals(l) {
			if k, ok := b.kept.Find(keptAt(key)); ok {
				b.remove(k.Lease)
			}
		}
	}
}

func keptAt(key []netip.Prefix) keptLease { return keptLease{Lease: lease.At(key)} }

func (b *believed) remove(l lease.Lease) {
	old, ok := b.leases.Find(l)
	if !ok {
		return
	}
	b.kept = b.kept.Without(keptLease{Lease: old})
	b.leases, b.index, b.census = b.leases.Without(old), b.index.Without(old), b.census.without(old)
}

// superseded reports whether a lease of the store claims addresses of l, or is
// its host's.
func (b *believed) superseded(l lease.Lease) bool {
	for _, key := range b.index.Rivals(l) {
		if b.snapshot.Leases.Has(lease.At(key)) {
			return true
		}
	}
	return false
}

// endLoss starts the grace period of leases that were kept because the store
// had no config.
func (b *believed) endLoss(until time.Time) {
	kept := b.kept.Edit()
	for k := range b.kept.All() {
		if k.until.IsZero() {
			k.until = until
			kept.Put(k)
		}
	}
	b.kept = kept.Set()
}

// handshakeLead is how long a host goes on as before towards a peer that has switched to
// wireguard and is to begin the handshake. WireGuard answers none of two handshakes that
// cross, and both hosts try again after five seconds only (Rekey-Timeout), which is more than
// their queues of packets hold.
const handshakeLead = 2 * time.Second

// expireTogether is the least delay until more kept leases are removed: where
// many vanish, several share a step and a pass.
const expireTogether = 100 * time.Millisecond

// expire goes by the store again where a kept lease's time is over, and returns the
// delay until it is to be called again, 0 for none.
func (b *believed) expire(now time.Time) (wait time.Duration) {
	for k := range b.kept.All() {
		switch left := k.until.Sub(now); {
		case k.until.IsZero():
		case left <= 0:
			b.settle(k.Lease)
		default:
			wait = sooner(wait, max(left, expireTogether))
		}
	}
	return wait
}

// settle goes by what the store says of a lease that was kept.
func (b *believed) settle(l lease.Lease) {
	if now, ok := b.snapshot.Leases.Find(l); ok {
		b.put([]lease.Lease{now})
		return
	}
	b.remove(l)
}

// sooner returns the shorter of two delays, of which 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
