package mem

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/view"
)

// holder is one call of Hold.
type holder struct {
	*Store
	name      string
	lease     lease.Lease
	owner     lease.Owner
	margin    time.Duration
	restores  backoff.Pace
	restoreAt time.Time // when to restore the lease; zero if it is right
}

// enter shows others that this agent runs.
func (h *holder) enter() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holders[h] = true
	h.notify()
}

func (h *holder) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.holders, h)
}

// round renews or restores the lease if that is due. It returns what is closed
// at the next change, and after how long to come again, 0 if only after a
// change.
func (h *holder) round() (changed <-chan struct{}, next time.Duration, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil {
		return h.changed, 0, nil
	}
	e := h.keys[view.Subnets+h.name]
	if err := h.lost(e); err != nil {
		return nil, 0, err
	}
	want, err := h.value()
	if err != nil {
		return nil, 0, err
	}
	if !h.isRight(e, want) {
		if wait := h.untilRestore(); wait > 0 {
			return h.changed, wait, nil
		}
		e = h.restore(want)
	}
	h.restoreAt = time.Time{}
	return h.changed, e.keep(h.margin), nil
}

// lost returns ErrLost with the reason if the lease is not the owner's any
// more. It wants mu held, as all below do.
func (h *holder) lost(e *entry) error {
	if e == nil {
		return fmt.Errorf("%w: it was deleted, or ran out", store.ErrLost)
	}
	if o, ok := h.owners[h.name]; ok {
		if o.ID != h.owner.ID {
			return fmt.Errorf("%w: %s has acquired it", store.ErrLost, o.Name())
		}
		if o.Session != h.owner.Session && o.Session != "" && h.owner.Session != "" {
			return fmt.Errorf("%w: another agent with this host's identity has acquired it, on %s", store.ErrLost, o.Name())
		}
		return nil
	}
	attrs, err := lease.ParseAttrs(e.value)
	if err != nil {
		return fmt.Errorf("%w: another program overwrote it: %w", store.ErrLost, err)
	}
	if !slices.Equal(attrs.Public, h.lease.Public) {
		return fmt.Errorf("%w: it announces %v now", store.ErrLost, attrs.Public)
	}
	return nil
}

// value is what this host announces.
func (h *holder) value() ([]byte, error) {
	if v, ok := h.written[h.name]; ok {
		return v, nil
	}
	return lease.MarshalAttrs(h.lease.Attrs)
}

// isRight reports whether e is what this host left there.
func (h *holder) isRight(e *entry, want []byte) bool {
	_, recorded := h.owners[h.name]
	return bytes.Equal(e.value, want) && (!recorded || e.ends.IsZero() == h.reserved[h.name])
}

// untilRestore returns after how long to restore the lease.
func (h *holder) untilRestore() time.Duration {
	if h.restoreAt.IsZero() {
		h.restoreAt = time.Now().Add(h.restores.Next())
	}
	return time.Until(h.restoreAt)
}

func (h *holder) restore(value []byte) *entry {
	ttl := leaseTTL
	if h.reserved[h.name] {
		ttl = 0
	}
	h.put(view.Subnets+h.name, value, ttl)
	return h.keys[view.Subnets+h.name]
}

// keep renews e if that is due, and returns after how long it is due again.
func (e *entry) keep(margin time.Duration) time.Duration {
	if e.ends.IsZero() {
		return 0
	}
	if time.Until(e.ends) <= margin {
		e.renew()
	}
	left := time.Until(e.ends)
	return max(left-margin, left/2)
}
