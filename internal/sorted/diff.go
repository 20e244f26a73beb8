package sorted

import "iter"

// Change is a difference between two sets: an element that only one of them
// has, or one that both have, maybe with other attributes.
type Change[E any] struct {
	Old, New *E // nil where the set has no such element; not to be changed
}

// Diff goes over what has changed from old to new, in ascending order. Blocks
// that both share are passed over without a look at what they hold. An element
// that both have, but in blocks that they do not share, is told of as well,
// with Old and New: whether those are equal is for the caller to say.
func Diff[E Element[E]](old, new Set[E]) iter.Seq[Change[E]] {
	return func(yield func(Change[E]) bool) {
		a, b := cursor[E]{blocks: old.blocks}, cursor[E]{blocks: new.blocks}
		for !a.end() || !b.end() {
			if a.skips(&b) {
				continue
			}
			c := 0
			switch {
			case a.end():
				c = 1
			case b.end():
				c = -1
			default:
				c = (*a.at()).Compare(*b.at())
			}
			var change Change[E]
			if c <= 0 {
				change.Old = a.at()
				a.next()
			}
			if c >= 0 {
				change.New = b.at()
				b.next()
			}
			if !yield(change) {
				return
			}
		}
	}
}

// Same reports whether a and b share all that they hold. Sets that are equal
// but do not share may be told to differ.
func Same[E Element[E]](a, b Set[E]) bool {
	if a.n != b.n || len(a.blocks) != len(b.blocks) {
		return false
	}
	for i := range a.blocks {
		if a.blocks[i] != b.blocks[i] {
			return false
		}
	}
	return true
}

// cursor is a place in a set.
type cursor[E Element[E]] struct {
	blocks []*block[E]
	i      int // within the first of blocks
}

func (c *cursor[E]) end() bool { return len(c.blocks) == 0 }

func (c *cursor[E]) at() *E { return &c.blocks[0].elems[c.i] }

func (c *cursor[E]) next() {
	if c.i++; c.i == len(c.blocks[0].elems) {
		c.blocks, c.i = c.blocks[1:], 0
	}
}

// skips moves both cursors over the block at which both begin, if they share
// it.
func (c *cursor[E]) skips(o *cursor[E]) bool {
	if c.i != 0 || o.i != 0 || c.end() || o.end() || c.blocks[0] != o.blocks[0] {
		return false
	}
	c.blocks, o.blocks = c.blocks[1:], o.blocks[1:]
	return true
}
