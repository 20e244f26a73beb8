package etcd_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/store/storetest"
)

// fill stores n leases of 10.5.0.0/16 in order, with the records of their
// hosts.
func fill(t *testing.T, c *clientv3.Client, prefix string, n int) {
	t.Helper()
	var ops []clientv3.Op
	for i := range n {
		name := fmt.Sprintf("10.5.%d.%d-28", i/16, i%16*16)
		ops = append(ops,
			clientv3.OpPut(prefix+"/subnets/"+name, fmt.Sprintf(`{"PublicIP":"198.51.%d.%d","PublicIPv6":null,"BackendType":"host-gw"}`, i/256, i%256)),
			clientv3.OpPut(prefix+"/weft/owners/"+name, fmt.Sprintf(`{"id":"other-%d","hostname":"other-%d"}`, i, i)))
		if len(ops) == 100 || i == n-1 {
			must[*clientv3.TxnResponse](t)(c.Txn(t.Context()).Then(ops...).Commit())
			ops = nil
		}
	}
}

const tight = `{"Network":"10.5.0.0/16","SubnetLen":28}`

func TestEtcdIsReadInPages(t *testing.T) {
	t.Parallel()
	p := start(t)
	relay, prefix, other := newRelay(t, p.Addr()), newPrefix(), raw(t, p.URL())
	fill(t, other, prefix, 2500)
	s := open(t, etcd.Options{Endpoints: []string{relay.Addr()}, Prefix: prefix})
	follower := storetest.Follow(t, s)
	if n := follower.Next(t).Snapshot.Leases.Len(); n != 2500 {
		t.Errorf("%d leases in the snapshot", n)
	}
	if txns, ranges := relay.Count("Txn"), relay.Count("Range"); txns != 1 || ranges != 2 {
		t.Errorf("%d transactions and %d requests for further pages; want 1 and 2", txns, ranges)
	}
	l := acquire(t, s, tight, claim())
	follower.Until(t, func(snap store.Snapshot) bool { _, ok := snap.Leases.Find(l); return ok && snap.Leases.Len() == 2501 })
	taken := claim()
	taken.ID, taken.Public[0] = "id-2", taken.Public[0].Next()
	taken.Preferred = l.Subnets
	if again := acquire(t, s, tight, taken); again.Subnets[0] == l.Subnets[0] {
		t.Errorf("two hosts have %v", l.Subnets)
	}
}

// Between two pages leases come and go, and maybe the revision of the first
// page is compacted away: a snapshot is of one revision all the same.
func TestChangesBetweenPages(t *testing.T) {
	t.Parallel()
	for name, compact := range map[string]bool{"kept history": false, "compacted history": true} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			relay, prefix, other := newRelay(t, p.Addr()), newPrefix(), raw(t, p.URL())
			fill(t, other, prefix, 1500)
			var once sync.Once
			relay.Before(func(method string) {
				if method != "Range" {
					return
				}
				once.Do(func() {
					if _, err := other.Delete(t.Context(), prefix+"/subnets/10.5.93.176-28"); err != nil { // the last
						t.Error(err)
					}
					resp, err := other.Put(t.Context(), prefix+"/subnets/10.5.200.0-28", "{}")
					if err == nil && compact {
						_, err = other.Compact(t.Context(), resp.Header.Revision)
					}
					if err != nil {
						t.Error(err)
					}
				})
			})
			s := open(t, etcd.Options{Endpoints: []string{relay.Addr()}, Prefix: prefix})
			snap := must[store.Snapshot](t)(s.Snapshot(t.Context()))
			has := func(subnet string) bool {
				return snap.Leases.Has(lease.At([]netip.Prefix{netip.MustParsePrefix(subnet)}))
			}
			if snap.Leases.Len() != 1500 || has("10.5.93.176/28") == compact || has("10.5.200.0/28") != compact {
				t.Errorf("%d leases; the deleted one is there: %v, the new one: %v", snap.Leases.Len(), has("10.5.93.176/28"), has("10.5.200.0/28"))
			}
		})
	}
}
