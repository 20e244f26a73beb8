package view_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store/view"
)

var opts = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
	cmpopts.EquateEmpty(),
	cmp.Transformer("leases", lease.Set.Slice),
	cmp.Transformer("hosts", lease.HostSet.Slice),
	cmp.Comparer(func(a, b error) bool { return a == b || a != nil && b != nil && a.Error() == b.Error() }),
}

// keys and values of every kind: good, bad, config, foreign.
var (
	keys = []string{
		"config", "subnets/10.5.1.0-24", "subnets/10.5.2.0-24", "subnets/10.5.10.0-24",
		"subnets/10.5.1.0-24&fc00:5:0:1b::-64", "subnets/0.0.0.0-0&fc00:5:0:1c::-64",
		"subnets/10.5.3.9-24", "subnets/rubbish", "subnets/", "elsewhere", "weft/owners/10.5.1.0-24",
		"weft/hosts/10.5.1.0-24", "weft/hosts/10.5.2.0-24", "weft/former/10.5.1.0-24",
	}
	values = []string{
		`{}`, `{"PublicIP":"192.0.2.1"}`, `{"PublicIP":"192.0.2.2","BackendType":"vxlan"}`, `rubbish`, ``,
		`{"hostname":"a","version":"1","onLink":["10.4.7.0/24"]}`, `{"hostname":"b","version":"1"}`, `10.9.0.0/16-24`,
	}
)

// However the changes came, a view shows what a fresh one of the same keys
// shows, and says whether that differs from before.
func TestChangesAddUp(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 0))
		v, held := view.New(1, nil), map[string]view.Item{}
		for rev := int64(2); rev < 60; rev++ {
			before := v.Snapshot()
			kept := slices.Clone(before.Leases.Slice())
			key := keys[r.IntN(len(keys))]
			var changed bool
			if r.IntN(3) == 0 {
				delete(held, key)
				changed = v.Delete(key, rev)
			} else {
				it := view.Item{Key: key, Value: []byte(values[r.IntN(len(values))]), Revision: rev, Reserved: r.IntN(2) == 0}
				held[key] = it
				changed = v.Put(it)
			}
			var items []view.Item
			for _, it := range held {
				items = append(items, it)
			}
			after, fresh := v.Snapshot(), view.New(rev, items).Snapshot()
			if d := cmp.Diff(fresh, after, opts); d != "" {
				t.Fatalf("seed %d, revision %d, key %s (-fresh +changed):\n%s", seed, rev, key, d)
			}
			if d := cmp.Diff(kept, before.Leases.Slice(), opts); d != "" {
				t.Fatalf("seed %d, revision %d: an older snapshot was changed:\n%s", seed, rev, d)
			}
			before.Revision = after.Revision
			if differs := !cmp.Equal(before, after, opts); differs && !changed {
				t.Fatalf("seed %d, revision %d, key %s: a change was not told", seed, rev, key)
			}
		}
	}
}

func TestSameAgainIsNoChange(t *testing.T) {
	v := view.New(1, nil)
	it := view.Item{Key: "subnets/10.5.1.0-24", Value: []byte("{}"), Revision: 2}
	if !v.Put(it) {
		t.Error("a new lease is no change")
	}
	it.Revision = 3
	if v.Put(it) || v.Revision() != 3 {
		t.Errorf("the same lease again is a change, or its revision %d was not taken", v.Revision())
	}
	it.Reserved = true
	if !v.Put(it) {
		t.Error("becoming a reservation is no change")
	}
	if v.Delete("subnets/10.5.2.0-24", 4) || !v.Delete(it.Key, 5) || v.Delete(it.Key, 6) {
		t.Error("Delete does not tell what it changed")
	}
}

func TestOccupiedKeepsUnreadableLeases(t *testing.T) {
	got := view.Occupied([]view.Item{
		{Key: "subnets/10.5.1.0-24", Value: []byte("{}")},
		{Key: "subnets/10.5.2.0-24", Value: []byte("rubbish"), Reserved: true},
		{Key: "subnets/rubbish", Value: []byte("{}")},
	})
	if len(got) != 2 || got[1].Subnets[0] != netip.MustParsePrefix("10.5.2.0/24") || got[1].Reserved {
		t.Errorf("got %v", got)
	}
}

func many(n int) []view.Item {
	items := make([]view.Item, 0, n)
	for i := range n {
		items = append(items, view.Item{
			Key:   fmt.Sprintf("subnets/10.%d.%d.0-24", i/256, i%256),
			Value: fmt.Appendf(nil, `{"PublicIP":"192.0.%d.%d","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}}`, i/256%256, i%256),
		})
	}
	return items
}

func BenchmarkList10000(b *testing.B) {
	items := many(10_000)
	b.ReportAllocs()
	for b.Loop() {
		view.New(1, items)
	}
}

func BenchmarkChangeOf10000(b *testing.B) {
	items := many(10_000)
	v := view.New(1, items)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		it := items[i%len(items)]
		it.Reserved = i/len(items)%2 == 0
		v.Put(it)
		if len(v.Snapshot().Leases.Slice()) != len(items) {
			b.Fatal("a lease is missing")
		}
	}
}
