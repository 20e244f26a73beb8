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
	"hold restores what another program wrote over the lease": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, host(1))
		key := "subnets/" + lease.Key(l.Subnets)
		announced := string(must[[]byte](t)(lease.MarshalAttrs(l.Attrs)))
		for name, write := range map[string]struct {
			doc string
			ttl time.Duration
		}{
			"another MAC address": {strings.Replace(announced, "02:00", "03:00", 1), day},
			"another VNI":         {strings.Replace(announced, `"VNI":1`, `"VNI":2`, 1), day},
			"another type":        {value(1, "host-gw"), day},
			"another address":     {value(66, "vxlan"), day},
			"rubbish":             {"rubbish", day},
			"no time to live":     {announced, 0},
			"nothing at all":      {"{}", 0},
		} {
			h := Hold(t, s, l, host(1).Owner)
			follower := Follow(t, s)
			rev := follower.Next(t).Snapshot.Revision
			f.Put(t, key, write.doc, write.ttl)
			follower.Until(t, func(s store.Snapshot) bool { return s.Revision > rev && holdsOnly(s, l) })
			h.cancel()
			if err := h.Err(t); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: Hold returned %v", name, err)
			}
		}
	},
	"hold does not fight at full speed": func(t *testing.T, f Fixture) {
		s := f.Open(t)
		l := acquire(t, s, wide, host(1))
		Hold(t, s, l, host(1).Owner)
		follower := Follow(t, s)
		rev := follower.Until(t, func(s store.Snapshot) bool { return holdsOnly(s, l) }).Revision
		restored := 0
		for begin := time.Now(); time.Since(begin) < 3*time.Second; restored++ {
			f.Put(t, "subnets/"+lease.Key(l.Subnets), value(1, "host-gw"), day)
			rev = follower.Until(t, func(s store.Snapshot) bool { return s.Revision > rev && holdsOnly(s, l) }).Revision
		}
		if restored > 5 { // at once, then after half a second at least, one, two
			t.Errorf("restored %d times within three seconds", restored)
		}
	},
	"hold ends when flanneld of another host has the subnet": func(t *testing.T, f Fixture) {
		f.Put(t, "subnets/10.5.1.0-24", value(66, "vxlan"), day)
		l := lease.Lease{Subnets: prefixes("10.5.1.0/24"), Attrs: host(1).Attrs}
		lost(t, Hold(t, f.Open(t), l, host(1).Owner), "192.0.2.66")
	},
}

func holdsOnly(s store.Snapshot, l lease.Lease) bool {
	return s.Leases.Len() == 1 && sameLease(s.Leases.Slice()[0], l)
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Keep acquires and holds a lease for c until the test ends, as an agent does,
// and returns it as it is the first time.
func Keep(t *testing.T, s store.Store, doc string, c lease.Claim) lease.Lease {
	ctx, cancel := context.WithCancel(context.Background())
	first, done := make(chan lease.Lease, 1), make(chan struct{})
	net := network(t, doc)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			l, err := s.Acquire(ctx, net, c)
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("Acquire for %s: %v", c.Hostname, err)
				}
				return
			}
			select {
			case first <- l:
			default:
			}
			if err := s.Hold(ctx, l, c.Owner, time.Hour); !errors.Is(err, store.ErrLost) && ctx.Err() == nil {
				t.Errorf("Hold: %v", err)
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case l := <-first:
		return l
	case <-within(t).Done():
		t.Fatal("no lease came")
		return lease.Lease{}
	}
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
