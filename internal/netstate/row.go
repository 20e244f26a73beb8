package netstate

import "slices"

// Row is one Linux network object.
type Row interface {
	// String is the row as one line in the manner of ip(8) and bridge(8).
	String() string
}

// row is what the tables need of their rows: an order by identity. Two rows
// that compare equal denote the same kernel object, maybe with other
// attributes.
type row[R any] interface {
	comparable
	Row
	compare(R) int
}

// Table is a set of rows of one kind, sorted by identity, at most one row an
// identity. Build it by appending and State.Normalize.
type Table[R row[R]] []R

// Find returns the row that has the identity of probe.
func (t Table[R]) Find(probe R) (R, bool) {
	i, ok := slices.BinarySearchFunc(t, probe, R.compare)
	if !ok {
		var none R
		return none, false
	}
	return t[i], true
}

// put returns t with r in the place of the row of r's identity, if any.
func (t Table[R]) put(r R) Table[R] {
	i, ok := slices.BinarySearchFunc(t, r, R.compare)
	if ok {
		t[i] = r
		return t
	}
	return slices.Insert(t, i, r)
}

// drop returns t without the row of r's identity.
func (t Table[R]) drop(r R) Table[R] {
	i, ok := slices.BinarySearchFunc(t, r, R.compare)
	if !ok {
		return t
	}
	return slices.Delete(t, i, i+1)
}

// normalize sorts t and drops exact repetitions. Two rows of one identity
// that differ are a *ConflictError.
func (t Table[R]) normalize() (Table[R], error) {
	if t.inOrder() {
		return t, nil
	}
	slices.SortFunc(t, R.compare)
	for i := 1; i < len(t); i++ {
		if t[i-1].compare(t[i]) == 0 && t[i-1] != t[i] {
			return t, &ConflictError{A: t[i-1], B: t[i]}
		}
	}
	return slices.Compact(t), nil
}

// inOrder reports whether t is sorted and holds every object once.
func (t Table[R]) inOrder() bool {
	for i := 1; i < len(t); i++ {
		if t[i-1].compare(t[i]) >= 0 {
			return false
		}
	}
	return true
}
