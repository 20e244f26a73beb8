// Package sorted holds sets that are always in order, share what did not
// change with the sets that they were made from, and tell quickly in what two
// of them differ. So a table of many thousand objects can be kept as a value:
// a changed copy costs one small block, and the difference of two versions
// costs what was changed between them, not the size of either. It is pure and
// knows nothing of what it holds.
package sorted

import (
	"iter"
	"slices"
)

// Element is what a Set can hold: values with an order by identity. Two
// elements that compare equal denote the same object, maybe with other
// attributes.
type Element[E any] interface{ Compare(E) int }

// Set is an immutable set of elements in ascending order, at most one for each
// identity. The zero Set is empty. With, Without and the like return new sets
// and leave the old one as it is, so sets may be shared between goroutines.
type Set[E Element[E]] struct {
	blocks []*block[E] // none is empty; never changed once the set is handed out
	n      int
}

// block is a run of elements in order. It is never changed once a set that
// holds it is handed out, so two sets with the same block have the same
// elements there.
type block[E Element[E]] struct{ elems []E }

// maxBlock is the number of elements from which on a block is split. A change
// copies one block and the list of blocks, which is least in total for some
// thousand elements of a hundred bytes with about forty in each.
const maxBlock = 48

// Of returns the set of elems, in any order. Of elements of one identity the
// last stays. It takes over elems.
func Of[E Element[E]](elems ...E) Set[E] {
	if !inOrder(elems) {
		slices.SortStableFunc(elems, func(a, b E) int { return a.Compare(b) })
		elems = lastOfEach(elems)
	}
	return FromOrdered(elems)
}

// FromOrdered returns the set of elems, which must be in ascending order, each
// identity once; else it panics. It takes over elems.
func FromOrdered[E Element[E]](elems []E) Set[E] {
	if !inOrder(elems) {
		panic("sorted: elements are not in order")
	}
	s := Set[E]{n: len(elems)}
	if len(elems) > 0 {
		s.blocks = make([]*block[E], 0, len(elems)/(maxBlock/2)+1)
	}
	for run := range slices.Chunk(elems, maxBlock*3/4) {
		s.blocks = append(s.blocks, &block[E]{run[:len(run):len(run)]})
	}
	return s
}

func inOrder[E Element[E]](elems []E) bool {
	for i := 1; i < len(elems); i++ {
		if elems[i-1].Compare(elems[i]) >= 0 {
			return false
		}
	}
	return true
}

// lastOfEach keeps the last of neighbours of one identity.
func lastOfEach[E Element[E]](elems []E) []E {
	out := elems[:0]
	for i := range elems {
		if i+1 == len(elems) || elems[i].Compare(elems[i+1]) != 0 {
			out = append(out, elems[i])
		}
	}
	return out
}

// Len returns the number of elements.
func (s Set[E]) Len() int { return s.n }

// Find returns the element with the identity of probe.
func (s Set[E]) Find(probe E) (E, bool) {
	b, i, found := s.search(probe)
	if !found {
		var none E
		return none, false
	}
	return s.blocks[b].elems[i], true
}

// Has reports whether an element with the identity of probe is in the set.
func (s Set[E]) Has(probe E) bool {
	_, _, found := s.search(probe)
	return found
}

// search returns where probe stands, or where it would be inserted.
func (s Set[E]) search(probe E) (b, i int, found bool) {
	if len(s.blocks) == 0 {
		return 0, 0, false
	}
	// The last block whose first element is not greater than probe.
	b, found = slices.BinarySearchFunc(s.blocks, probe, func(b *block[E], p E) int { return b.elems[0].Compare(p) })
	if found {
		return b, 0, true
	}
	b = max(b-1, 0)
	i, found = slices.BinarySearchFunc(s.blocks[b].elems, probe, func(e, p E) int { return e.Compare(p) })
	return b, i, found
}

// All goes over the elements in ascending order.
func (s Set[E]) All() iter.Seq[E] {
	return func(yield func(E) bool) {
		for _, b := range s.blocks {
			for i := range b.elems {
				if !yield(b.elems[i]) {
					return
				}
			}
		}
	}
}

// Backward goes over the elements before probe's place in descending order: those less
// than probe, the greatest first.
func (s Set[E]) Backward(probe E) iter.Seq[E] {
	return func(yield func(E) bool) {
		b, i, _ := s.search(probe)
		for ; b >= 0 && b < len(s.blocks); b-- {
			elems := s.blocks[b].elems
			if i < 0 {
				i = len(elems)
			}
			for i--; i >= 0; i-- {
				if !yield(elems[i]) {
					return
				}
			}
		}
	}
}

// From goes over the elements from probe's place on in ascending order: those
// that are not less than probe.
func (s Set[E]) From(probe E) iter.Seq[E] {
	return func(yield func(E) bool) {
		b, i, _ := s.search(probe)
		for ; b < len(s.blocks); b++ {
			for _, e := range s.blocks[b].elems[i:] {
				if !yield(e) {
					return
				}
			}
			i = 0
		}
	}
}

// Slice returns the elements in ascending order, in a slice of the caller's.
func (s Set[E]) Slice() []E { return slices.AppendSeq(make([]E, 0, s.n), s.All()) }
