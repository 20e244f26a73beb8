package intent_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store/view"
)

// crowded returns a tracer whose network has n peers, and a store of it.
func crowded(tb testing.TB, n int) (*tracer, *view.View) {
	r := newTracer(tb)
	items := []view.Item{{Key: "config", Value: []byte(`{"Network":"10.0.0.0/8","SubnetLen":26,"Backend":{"Type":"vxlan"}}`), Revision: 1}}
	for i := range n {
		items = append(items, peerItem(i))
	}
	v := view.New(1, items)
	r.step(intent.StoreChanged{Snapshot: v.Snapshot()})
	r.step(intent.LeaseHeld{Lease: lease.Lease{Subnets: []netip.Prefix{netip.MustParsePrefix("10.250.0.0/26")}, Attrs: r.request.Attrs}})
	r.do("pass", "")
	return r, v
}

func peerItem(i int) view.Item {
	subnet := netip.AddrFrom4([4]byte{10, byte(1 + i>>10), byte(i >> 2), byte(i << 6)})
	value := fmt.Sprintf(`{"PublicIP":"100.%d.%d.%d","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:%02x:%02x:%02x"}}`,
		64+i>>16, byte(i>>8), byte(i), byte(i>>16), byte(i>>8), byte(i))
	return view.Item{Key: fmt.Sprintf("subnets/%s-26", subnet), Value: []byte(value), Revision: 1}
}

// oneChange takes a lease out and puts it in again, as a store hears of it,
// and returns the objects that are asked for.
func oneChange(r *tracer, v *view.View, i int) {
	it := peerItem(i)
	v.Delete(it.Key, 2)
	r.step(intent.StoreChanged{Snapshot: v.Snapshot()})
	v.Put(it)
	r.step(intent.StoreChanged{Snapshot: v.Snapshot()})
	r.out.Reset()
}

// One lease's change takes the same work among many as among few: allocations
// tell, on any machine.
func TestOneLeaseCostsTheSameAmongMany(t *testing.T) {
	allocs := func(n int) float64 {
		r, v := crowded(t, n)
		r.opts.Grace = 0
		return testing.AllocsPerRun(20, func() { oneChange(r, v, n/2) })
	}
	few, many := allocs(100), allocs(10_000)
	if many > few*1.2+20 {
		t.Errorf("%.0f allocations among 10,000 leases, %.0f among 100", many, few)
	}
}

func BenchmarkOneLease(b *testing.B) {
	for _, n := range []int{100, 10_000, 30_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r, v := crowded(b, n)
			b.ReportAllocs()
			for b.Loop() {
				oneChange(r, v, n/2)
			}
		})
	}
}
