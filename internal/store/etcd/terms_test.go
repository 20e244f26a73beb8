package etcd_test

import (
	"testing"
	"time"

	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/etcd"
)

func TestTermsOfManyLeases(t *testing.T) {
	t.Parallel()
	const many, ttl = 50, 10 * time.Minute
	prefix, other := newPrefix(), raw(t, shared.URL())
	for i := range many {
		put(t, other, leaseKey(prefix, i), "{}", ttl)
	}
	put(t, other, leaseKey(prefix, many), "{}", 0)
	s := open(t, etcd.Options{Endpoints: []string{shared.URL()}, Prefix: prefix})
	leases := must[store.Snapshot](t)(s.Snapshot(t.Context())).Leases.Slice()
	if err := s.(store.Timer).Terms(t.Context(), leases); err != nil {
		t.Fatal(err)
	}
	for _, l := range leases {
		timed := l.TTL > 0 && l.TTL <= ttl
		if len(leases) != many+1 || timed == l.Reserved {
			t.Errorf("of %d leases, %s (reserved: %t) lasts %v", len(leases), l.Subnets[0], l.Reserved, l.TTL)
		}
	}
}
