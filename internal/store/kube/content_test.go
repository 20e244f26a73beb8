package kube

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

var sameSnapshot = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
	cmpopts.EquateEmpty(),
	cmp.Transformer("leases", lease.Set.Slice), cmp.Transformer("hosts", lease.HostSet.Slice),
	cmp.Comparer(func(a, b error) bool { return a == b || a != nil && b != nil && a.Error() == b.Error() }),
	cmpopts.IgnoreFields(store.Snapshot{}, "Revision"),
}

// variants of a node, of which few have a PodCIDR of their own.
var (
	someCIDRs       = []string{"10.5.1.0/24", "10.5.1.0/24", "10.5.2.0/24", "10.5.1.0/24,fc00:5::/64", "", "rubbish"}
	someAnnotations = []annotations{
		{}, {annManaged: "true"}, {annManaged: "true", annPublic: "192.0.2.1", annType: "vxlan"},
		{annManaged: "true", annPublic: "192.0.2.2", annType: "host-gw", annNode: "192.0.2.9"},
		{annManaged: "true", annPublic: "rubbish"}, {annManaged: "false", annPublic: "192.0.2.1"},
	}
)

// However the changes came, the content shows what a fresh list of the same
// nodes shows, and says whether that differs from before.
func TestChangesOfNodesAddUp(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		held := map[string]node{}
		c := fresh(held)
		for rev := range 80 {
			before := c.Snapshot()
			kept := slices.Clone(before.Leases.Slice())
			var changed bool
			name := fmt.Sprintf("n%d", r.IntN(6))
			switch r.IntN(8) {
			case 0, 1:
				delete(held, name)
				changed = c.remove(name)
			case 2: // a list that comes in anew
				for range r.IntN(3) {
					delete(held, fmt.Sprintf("n%d", r.IntN(6)))
				}
				c.begin()
				for _, n := range held {
					changed = c.put(&n) || changed
				}
				changed = c.end("1") || changed
			default:
				n := node{name: name, uid: strconv.Itoa(rev), version: strconv.Itoa(rev), network: "True", cidrs: someCIDRs[r.IntN(len(someCIDRs))], annotations: someAnnotations[r.IntN(len(someAnnotations))]}
				held[name] = n
				changed = c.put(&n)
			}
			after := c.Snapshot()
			if d := cmp.Diff(fresh(held).Snapshot(), after, sameSnapshot); d != "" {
				t.Fatalf("seed %d, change %d (-fresh +changed):\n%s", seed, rev, d)
			}
			if d := cmp.Diff(kept, before.Leases.Slice(), sameSnapshot); d != "" {
				t.Fatalf("seed %d, change %d: an older snapshot was changed:\n%s", seed, rev, d)
			}
			if differs := !cmp.Equal(before, after, sameSnapshot); differs && !changed {
				t.Fatalf("seed %d, change %d: a change was not told", seed, rev)
			}
		}
	}
}

func fresh(nodes map[string]node) *content {
	c := newContent()
	c.self = "n0"
	c.begin()
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		n := nodes[name]
		c.put(&n)
	}
	c.end("1")
	return c
}

func TestHeartbeatsAreNoChange(t *testing.T) {
	c := newContent()
	n := node{name: "n", uid: "u", version: "7", cidrs: "10.5.1.0/24", annotations: someAnnotations[2]}
	if first := n; !c.put(&first) {
		t.Error("a new node is no change")
	}
	n.version, n.network = "8", "False"
	if c.put(&n) || c.Snapshot().Revision != 8 {
		t.Errorf("a heartbeat is a change, or its revision %d was not taken", c.Snapshot().Revision)
	}
}

// flannel takes these, as it looks at none of the keys; the first two are the
// usual ones.
func TestKeysThatMeanNothingArePassedOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net-conf.json")
	for doc, want := range map[string]string{
		`{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}`:          "",
		`{"Network": "10.244.0.0/16", "SubnetLen": 25}`:                       "",
		`{"Network": "10.244.0.0/16", "SubnetLen": 8}`:                        `{"Network":"10.244.0.0/16"}`,
		`{"Network": "10.244.0.0/16", "subnetmin": "10.1.0.0"}`:               `{"Network":"10.244.0.0/16"}`,
		`{"Network": "10.244.0.0/16", "SubnetLen": 8, "Backend": {"Type":1}}`: "", // refused either way, so that all of it is shown
		`rubbish`: "",
	} {
		if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = doc
		}
		if got := (document{}).read(path); got.err != nil || string(got.text) != want || got.revision != revisionOf([]byte(want)) {
			t.Errorf("%s is read as %s, %v", doc, got.text, got.err)
		}
	}
}

func TestALostFileLeavesTheLastConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net-conf.json")
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := document{}.read(path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	lost := d.read(path)
	if lost.err == nil || string(lost.text) != "{}" || lost.revision != d.revision || lost.same(d) || !lost.same(lost.read(path)) {
		t.Errorf("after the file was removed: %+v", lost)
	}
}

// BenchmarkJoin is one more node among others: the two events in which it
// registers and is announced, and the snapshots that follow.
func BenchmarkJoin(b *testing.B) {
	for _, others := range []int{100, 5000} {
		b.Run(strconv.Itoa(others), func(b *testing.B) {
			c := newContent()
			for i := range others {
				c.put(numbered(i))
			}
			b.ReportAllocs()
			for b.Loop() {
				first := numbered(others)
				first.annotations = annotations{}
				c.put(first)
				c.put(numbered(others))
				if s := c.Snapshot(); s.Leases.Len() != others+1 {
					b.Fatal(s.Leases.Len())
				}
				c.remove(first.name)
			}
		})
	}
}

// numbered is a node that is announced.
func numbered(i int) *node {
	return &node{
		name: fmt.Sprintf("node-%d", i), version: strconv.Itoa(i), cidrs: fmt.Sprintf("10.%d.%d.0/24", i>>8, i&255),
		annotations: annotations{annManaged: "true", annType: "vxlan", annPublic: fmt.Sprintf("192.0.%d.%d", i>>8, i&255), annData: mac4},
	}
}
