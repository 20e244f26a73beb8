package etcd_test

import (
	"testing"
	"time"

	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/store/etcdtest"
	"github.com/weft-net/weft/internal/store/session"
	"github.com/weft-net/weft/internal/store/storetest"
)

func newRelay(t *testing.T, target string) *etcdtest.Relay {
	r := must[*etcdtest.Relay](t)(etcdtest.NewRelay(target))
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// A server that accepts watches and ends them at once is asked more and more
// rarely, and is reported as an outage.
func TestWatchesThatEndAtOnce(t *testing.T) {
	t.Parallel()
	relay, prefix, other := newRelay(t, shared.Addr()), newPrefix(), raw(t, shared.URL())
	s := open(t, etcd.Options{Endpoints: []string{relay.Addr()}, Prefix: prefix})
	follower := storetest.Follow(t, s)
	follower.Until(t, subnets())
	l := acquireWide(t, s)
	holder := storetest.Hold(t, s, l, owner)
	follower.Until(t, subnets(34))

	relay.EndWatches(2) // of a follower, and of a holder
	s.Redial()
	const enough = session.Proof / 2
	deadline := time.After(enough)
	says(t, follower.Outage(t), "breaks off again and again")
	<-deadline
	// 100 ms, 200 ms, ... each at least by half, for each of the two
	if n := relay.Count("Watch"); n > 2*10 {
		t.Errorf("%d watches within %v", n, enough)
	}

	put(t, other, leaseKey(prefix, 35), "{}", 0)
	relay.EndWatches(0)
	follower.Until(t, subnets(34, 35))
	if err := s.Release(t.Context(), l.Subnets); err != nil {
		t.Fatal(err)
	}
	says(t, holder.Err(t), "deleted")
}
