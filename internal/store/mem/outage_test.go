package mem_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/mem"
)

var claim = lease.Claim{
	Owner: lease.Owner{ID: "id", Hostname: "host"},
	Attrs: lease.Attrs{Public: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Backend: "vxlan"},
}

func acquire(t *testing.T, m *mem.Store) lease.Lease {
	t.Helper()
	net, err := netconf.Parse([]byte(`{"Network":"10.5.0.0/16"}`))
	if err != nil {
		t.Fatal(err)
	}
	l, err := m.Acquire(t.Context(), net, claim)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// hold runs Hold with an hour's margin and returns where its error comes.
func hold(t *testing.T, m *mem.Store, l lease.Lease) <-chan error {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	done := make(chan error, 1)
	go func() { done <- m.Hold(ctx, l, claim.Owner, time.Hour) }()
	return done
}

func leases(t *testing.T, m *mem.Store) int {
	t.Helper()
	s, err := m.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Leases.Len()
}

func TestALeaseRunsOutUnlessHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New()
		acquire(t, m)
		time.Sleep(24*time.Hour - time.Second) // of the bubble's clock
		if n := leases(t, m); n != 1 {
			t.Errorf("%d leases after a day less a second", n)
		}
		time.Sleep(2 * time.Second)
		if n := leases(t, m); n != 0 {
			t.Errorf("%d leases after a day", n)
		}
		done := hold(t, m, acquire(t, m))
		time.Sleep(10 * 24 * time.Hour)
		if n := leases(t, m); n != 1 || len(done) != 0 {
			t.Errorf("%d leases after ten days of Hold", n)
		}
	})
}

func TestALeaseRunsOutInALongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New()
		done := hold(t, m, acquire(t, m))
		synctest.Wait()
		m.Break(errors.New("no route to host"))
		time.Sleep(23*time.Hour + 30*time.Minute)
		m.Mend()
		synctest.Wait()
		if len(done) != 0 {
			t.Fatalf("Hold ended in an outage shorter than the lease: %v", <-done)
		}
		time.Sleep(time.Hour) // longer than what was left before the renewal
		m.Break(errors.New("no route to host"))
		time.Sleep(25 * time.Hour)
		m.Mend()
		if err := <-done; !errors.Is(err, store.ErrLost) {
			t.Errorf("Hold: %v", err)
		}
	})
}

func TestExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New()
		l := acquire(t, m)
		done := hold(t, m, l)
		m.Client().Expire(l.Subnets...)
		if err := <-done; !errors.Is(err, store.ErrLost) {
			t.Errorf("Hold: %v", err)
		}
	})
}

func TestBreakIsOneClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New()
		other := m.Client()
		var got []store.Update
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Follow(ctx, func(u store.Update) { got = append(got, u) }) }()
		synctest.Wait()
		m.Break(errors.New("no route to host"))
		synctest.Wait()
		if err := other.SetConfig(t.Context(), []byte("{}"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Snapshot(t.Context()); err == nil || !strings.Contains(err.Error(), "no route to host") {
			t.Errorf("Snapshot: %v", err)
		}
		synctest.Wait()
		m.Mend()
		synctest.Wait()
		cancel()
		<-done
		if len(got) != 3 || got[0].Snapshot == nil || got[1].Err == nil || got[2].Snapshot == nil || string(got[2].Snapshot.Config) != "{}" {
			t.Errorf("updates %+v", got)
		}
	})
}
