package sorted_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/sorted"
)

type pair struct{ key, value int }

func (p pair) Compare(o pair) int { return cmp.Compare(p.key, o.key) }

func inOrder(m map[int]int) []pair {
	var out []pair
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, pair{k, m[k]})
	}
	return out
}

// version is a set and what it must hold, however often it was built upon.
type version struct {
	set  sorted.Set[pair]
	held map[int]int
}

// A set behaves as a map, whatever was done to it and to its copies, and old
// versions stay as they were.
func TestSetIsAMapInOrder(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		versions := []version{{held: map[int]int{}}}
		for range 60 {
			from := versions[r.IntN(len(versions))]
			next := version{held: maps.Clone(from.held)}
			d := from.set.Edit()
			for range r.IntN(600) {
				p := pair{r.IntN(1000), r.IntN(3)}
				if r.IntN(5) < 2 {
					d.Remove(p)
					delete(next.held, p.key)
				} else {
					d.Put(p)
					next.held[p.key] = p.value
				}
				if r.IntN(100) == 0 {
					versions = append(versions, version{d.Set(), maps.Clone(next.held)})
				}
			}
			next.set = d.Set()
			versions = append(versions, next)
		}
		for i, v := range versions {
			if got, want := v.set.Slice(), inOrder(v.held); !slices.Equal(got, want) || v.set.Len() != len(want) {
				t.Fatalf("seed %d, version %d: %d elements %v, want %d %v", seed, i, v.set.Len(), got, len(want), want)
			}
		}
		for range 200 {
			a, b := versions[r.IntN(len(versions))], versions[r.IntN(len(versions))]
			checkDiff(t, a, b)
			checkFind(t, a, r.IntN(1000))
		}
	}
}

func checkDiff(t *testing.T, a, b version) {
	t.Helper()
	got, last := maps.Clone(a.held), -1
	for c := range sorted.Diff(a.set, b.set) {
		key := 0
		if c.Old != nil {
			key = c.Old.key
			if v, ok := a.held[key]; !ok || v != c.Old.value {
				t.Fatalf("the old set has no %v", *c.Old)
			}
			delete(got, key)
		}
		if c.New != nil {
			key = c.New.key
			got[key] = c.New.value
		}
		if key <= last {
			t.Fatalf("%d told after %d", key, last)
		}
		last = key
	}
	if !maps.Equal(got, b.held) {
		t.Fatalf("the difference leads to %v, want %v", inOrder(got), inOrder(b.held))
	}
}

func checkFind(t *testing.T, v version, key int) {
	t.Helper()
	got, ok := v.set.Find(pair{key: key})
	if want, held := v.held[key]; ok != held || got.value != want {
		t.Fatalf("Find(%d) = %v, %v", key, got, ok)
	}
	all := inOrder(v.held)
	i, _ := slices.BinarySearchFunc(all, pair{key: key}, pair.Compare)
	if from := slices.Collect(v.set.From(pair{key: key})); !slices.Equal(from, all[i:]) {
		t.Fatalf("From(%d) = %v, want %v", key, from, all[i:])
	}
	before := slices.Clone(all[:i])
	slices.Reverse(before)
	if back := slices.Collect(v.set.Backward(pair{key: key})); !slices.Equal(back, before) {
		t.Fatalf("Backward(%d) = %v, want %v", key, back, before)
	}
}

func TestOfSortsAndKeepsTheLast(t *testing.T) {
	got := sorted.Of(pair{2, 0}, pair{1, 0}, pair{2, 1}).Slice()
	if want := []pair{{1, 0}, {2, 1}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestFromOrderedRefusesDisorder(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("elements out of order were taken")
		}
	}()
	sorted.FromOrdered([]pair{{2, 0}, {1, 0}})
}

// A change costs one block however many elements there are, and so does
// finding it.
func TestOneChangeTouchesOneBlock(t *testing.T) {
	for _, n := range []int{100, 30_000} {
		var all []pair
		for i := range n {
			all = append(all, pair{2 * i, 0})
		}
		old := sorted.FromOrdered(all)
		told := 0
		for range sorted.Diff(old, old.With(pair{n + 1, 1})) {
			told++
		}
		if told > 200 {
			t.Errorf("one change among %d makes Diff tell of %d elements", n, told)
		}
		if sorted.Same(old, old.With(pair{0, 1})) || !sorted.Same(old, old.Without(pair{1, 0})) {
			t.Error("Same does not tell a changed set from an unchanged one")
		}
	}
}

func BenchmarkOneChange(b *testing.B) {
	for _, n := range []int{100, 10_000, 30_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var all []pair
			for i := range n {
				all = append(all, pair{2 * i, 0})
			}
			set := sorted.FromOrdered(all)
			b.ReportAllocs()
			for b.Loop() {
				next := set.With(pair{n + 1, 1})
				for range sorted.Diff(set, next) {
				}
			}
		})
	}
}
