package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

var holdTests = map[string]func(*testing.T, Fixture){
	"hold ends when another owner has it": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, host(1))
		h := Hold(t, s, l, host(1).Owner)
		clone := host(1) // the same machine, its state directory lost
		clone.ID = "another"
		acquire(t, s, wide, clone)
		lost(t, h, "host-1")
	},
	"hold watches a reservation": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		f.Put(t, "subnets/10.5.9.0-24", `{"PublicIP":"192.0.2.1"}`, 0)
		l := acquire(t, s, wide, host(1))
		h := Hold(t, s, l, host(1).Owner)
		if err := s.Release(within(t), l.Subnets); err != nil {
			t.Fatal(err)
		}
		lost(t, h, "deleted")
	},
	"hold does not mind a change of attributes or becoming a reservation": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, host(1))
		h := Hold(t, s, l, host(1).Owner)
		c := host(1)
		c.Attrs.Backend = "host-gw"
		acquire(t, s, wide, c)
		reserve(t, s, lease.Lease{Subnets: l.Subnets})
		if err := s.Release(within(t), l.Subnets); err != nil {
			t.Fatal(err)
		}
		lost(t, h, "deleted") // and not before, for another reason
	},
}

func lost(t *testing.T, h *Holder, reason string) {
	t.Helper()
	if err := h.Err(t); !errors.Is(err, store.ErrLost) || !strings.Contains(err.Error(), reason) {
		t.Errorf("Hold returned %v; want ErrLost, because of %q", err, reason)
	}
}

// Holder is a running Hold.
type Holder struct {
	cancel context.CancelFunc
	done   chan error
}

// Hold holds l until the test ends.
func Hold(t *testing.T, s store.Store, l lease.Lease, o lease.Owner) *Holder {
	ctx, cancel := context.WithCancel(context.Background())
	h := &Holder{cancel: cancel, done: make(chan error, 1)}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		h.done <- s.Hold(ctx, l, o, time.Hour)
	}()
	t.Cleanup(func() { cancel(); <-gone })
	return h
}

// Err waits for Hold to return.
func (h *Holder) Err(t *testing.T) error {
	t.Helper()
	select {
	case err := <-h.done:
		return err
	case <-within(t).Done():
		t.Fatal("Hold did not return")
		return nil
	}
}
