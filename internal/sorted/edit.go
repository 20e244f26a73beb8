package sorted

import "slices"

// With returns s with e in it, in place of the element of e's identity if
// there is one.
func (s Set[E]) With(e E) Set[E] {
	d := s.Edit()
	d.Put(e)
	return d.Set()
}

// Without returns s without the element of probe's identity.
func (s Set[E]) Without(probe E) Set[E] {
	if !s.Has(probe) {
		return s
	}
	d := s.Edit()
	d.Remove(probe)
	return d.Set()
}

// Edit returns an Editor that begins with the elements of s.
func (s Set[E]) Edit() *Editor[E] { return &Editor[E]{set: s} }

// Editor makes a changed copy of a set by many small changes: each block and
// the list of blocks are copied once at most. It is for one goroutine.
type Editor[E Element[E]] struct {
	set   Set[E]
	owned map[*block[E]]bool // blocks made by this editor; nil: not even the list of blocks is
}

// Set returns the set as it is now. The editor can go on; it then begins anew
// from that set.
func (d *Editor[E]) Set() Set[E] {
	d.owned = nil
	return d.set
}

// Len returns the number of elements as of now.
func (d *Editor[E]) Len() int { return d.set.n }

// Find returns the element with the identity of probe, as of now.
func (d *Editor[E]) Find(probe E) (E, bool) { return d.set.Find(probe) }

// Put adds e, in place of the element of e's identity if there is one.
func (d *Editor[E]) Put(e E) {
	if d.set.n == 0 {
		fresh := &block[E]{[]E{e}}
		d.set, d.owned = Set[E]{blocks: []*block[E]{fresh}, n: 1}, map[*block[E]]bool{fresh: true}
		return
	}
	b, i, found := d.set.search(e)
	own := d.own(b)
	if found {
		own.elems[i] = e
		return
	}
	own.elems = slices.Insert(own.elems, i, e)
	d.set.n++
	if len(own.elems) > maxBlock {
		d.split(b)
	}
}

// Remove takes out the element of probe's identity, if there is one.
func (d *Editor[E]) Remove(probe E) {
	b, i, found := d.set.search(probe)
	if !found {
		return
	}
	own := d.own(b)
	own.elems = slices.Delete(own.elems, i, i+1)
	d.set.n--
	if len(own.elems) == 0 {
		d.set.blocks = slices.Delete(d.set.blocks, b, b+1)
		return
	}
	d.join(b)
}

// own makes block b, and the list of blocks, the editor's own.
func (d *Editor[E]) own(b int) *block[E] {
	if d.owned == nil {
		d.owned = map[*block[E]]bool{}
		d.set.blocks = slices.Clone(d.set.blocks)
	}
	old := d.set.blocks[b]
	if d.owned[old] {
		return old
	}
	fresh := &block[E]{append(make([]E, 0, len(old.elems)+1), old.elems...)}
	d.set.blocks[b], d.owned[fresh] = fresh, true
	return fresh
}

// split makes two blocks of block b, which is the editor's own.
func (d *Editor[E]) split(b int) {
	left := d.set.blocks[b]
	half := len(left.elems) / 2
	right := &block[E]{slices.Clone(left.elems[half:])}
	clear(left.elems[half:]) // what they refer to is the other block's now
	left.elems = left.elems[:half]
	d.owned[right] = true
	d.set.blocks = slices.Insert(d.set.blocks, b+1, right)
}

// join puts block b, which is the editor's own, together with the next if both
// are small, so that removals do not leave many tiny blocks behind.
func (d *Editor[E]) join(b int) {
	if b+1 == len(d.set.blocks) {
		b--
	}
	if b < 0 || len(d.set.blocks[b].elems)+len(d.set.blocks[b+1].elems) > maxBlock/2 {
		return
	}
	left := d.own(b)
	left.elems = append(left.elems, d.set.blocks[b+1].elems...)
	d.set.blocks = slices.Delete(d.set.blocks, b+1, b+2)
}
