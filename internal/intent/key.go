package intent

import (
	"slices"
	"time"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
)

// The key of WireGuard is replaced in this order. The new private key is on disk
// beside the one in use (KeyMade). The device gets it; from then on packets to peers wait
// in the device, since no peer knows the key. Once the pass is back the lease
// announces it, and each peer that sees that begins a handshake. The old private key goes when the
// store has the new public one (KeepKey).

// settled is for how long the store must have answered before the key is switched. After an
// outage other hosts hear it a little later than this one, and a host that does not hear of
// the new key gets no packets from here. After a switch it has to answer for as long again: a
// peer that is still in the handshake of one key loses its packets when another takes its place.
const settled = 10 * time.Second

// answers notes whether the store answers.
func (t *step) answers(yes bool) {
	s := t.state
	switch {
	case !yes:
		s.steady = time.Time{}
	case s.steady.IsZero():
		s.steady = t.now
	}
}

// switchKey makes the next key the one in use, when the store can be told at once.
// What earlier announcements had as this host's key changes with it: their device is the same.
func (t *step) switchKey() {
	s := t.state
	if s.nextKey.IsZero() || s.nextKey == s.key || s.steady.IsZero() || !s.held {
		return
	}
	if left := settled - t.now.Sub(s.steady); left > 0 {
		t.wake(left)
		return
	}
	t.say(Info, event.Key, "switching to the new WireGuard key", "from", s.key, "to", s.nextKey)
	s.key, s.steady = s.nextKey, t.now
	s.history = s.history.withKey(s.key)
}

// keepKey has the old key forgotten once the store has the new one.
func (t *step) keepKey() {
	s := t.state
	if s.nextKey.IsZero() || s.nextKey != s.key || !s.keyKnown() {
		return
	}
	t.say(Info, event.Key, "peers know the new WireGuard key", "key", s.key)
	t.out.KeepKey, s.nextKey = s.key, netstate.WGKey{}
}

// keyKnown reports whether peers learn this host's key, and no other, from the store: from
// its lease, or while that announces another backend from what stands beside it, if
// anything does.
func (s *State) keyKnown() bool {
	if s.self == nil || !s.held || !s.heard {
		return false
	}
	stored, ok := s.store.snapshot.Leases.Find(*s.self)
	if !ok {
		return false
	}
	if keys := plan.KeysOf(stored.Attrs); len(keys) > 0 {
		return !slices.ContainsFunc(keys, func(k netstate.WGKey) bool { return k != s.key })
	}
	h, found := s.store.snapshot.Hosts.Find(lease.HostOf(s.self.Subnets))
	return !found || h.WireGuard == s.key.String()
}

// uses reports whether the key has been planned with: the device may have it.
func (h history) uses(key netstate.WGKey) bool {
	return !key.IsZero() && slices.ContainsFunc(h, func(a announcement) bool { return slices.Contains(plan.KeysOf(a.attrs), key) })
}

// withKey returns h with this key in former announcements of WireGuard. The current one is
// superseded.
func (h history) withKey(key netstate.WGKey) history {
	out := slices.Clone(h)
	for i := range out {
		if i > 0 {
			out[i].attrs = plan.WithKey(out[i].attrs, key)
		}
	}
	return out
}
