package netstate

import (
	"slices"

	"github.com/weft-net/weft/internal/sorted"
)

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
	Compare(R) int
}

// Table is a set of rows of one kind, sorted by identity, at most one row an
// identity. It is a value: a changed copy shares what did not change, and so
// the difference of two versions costs what changed between them.
type Table[R row[R]] = sorted.Set[R]

// tableOf sorts rows and drops exact repetitions. Two rows of one identity
// that differ are a *ConflictError; the later stays.
func tableOf[R row[R]](rows []R) (Table[R], error) {
	var err error
	for i := 1; i < len(rows); i++ {
		if rows[i-1].Compare(rows[i]) >= 0 {
			rows, err = inOrder(rows)
			break
		}
	}
	return sorted.FromOrdered(rows), err
}

func inOrder[R row[R]](rows []R) (_ []R, err error) {
	slices.SortFunc(rows, R.Compare)
	for i := 1; i < len(rows); i++ {
		if err == nil && rows[i-1].Compare(rows[i]) == 0 && rows[i-1] != rows[i] {
			err = &ConflictError{A: rows[i-1], B: rows[i]}
		}
	}
	return slices.CompactFunc(rows, func(a, b R) bool { return a.Compare(b) == 0 }), err
}

// filter returns t without the rows that drop is true of.
func filter[R row[R]](t Table[R], drop func(R) bool) Table[R] {
	d := t.Edit()
	for r := range t.All() {
		if drop(r) {
			d.Remove(r)
		}
	}
	return d.Set()
}
