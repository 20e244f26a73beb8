package netstate

import "slices"

// tables lists every table of s, in the order in which Rows and Format have
// them.
func (s *State) tables() [13]table {
	f := &s.Firewall
	return [...]table{
		&s.Links, &s.Sysctls, &s.Addrs, &s.Neighs, &s.FDB, &s.Routes,
		&f.Tables, &f.Sets, &f.Elements, &f.Chains, &f.Rules, &f.Foreign, &f.Leftovers,
	}
}

// table is a Table of whatever rows. What takes a row does nothing and says
// so if the row is of another kind.
type table interface {
	normalizeRows() error
	join(o table)   // adds the rows of a table of the same kind
	part(extra int) // makes it share nothing, with room for extra rows
	appendTo([]Row) []Row
	size() int
	findRow(probe Row) (found Row, mine bool) // found is nil if there is none
	putRow(Row) (mine bool)
	dropRow(Row) (mine bool)
}

func (t *Table[R]) normalizeRows() (err error) {
	*t, err = t.normalize()
	return err
}

func (t *Table[R]) join(o table) { *t = append(*t, *o.(*Table[R])...) }

func (t *Table[R]) part(extra int) {
	*t = append(slices.Grow(Table[R](nil), len(*t)+extra), *t...)
}

func (t *Table[R]) appendTo(out []Row) []Row {
	for _, r := range *t {
		out = append(out, r)
	}
	return out
}

func (t *Table[R]) size() int { return len(*t) }

func (t *Table[R]) findRow(probe Row) (Row, bool) {
	p, mine := probe.(R)
	if !mine {
		return nil, false
	}
	if r, ok := t.Find(p); ok {
		return r, true
	}
	return nil, true
}

func (t *Table[R]) putRow(row Row) bool {
	r, mine := row.(R)
	if mine {
		*t = t.put(r)
	}
	return mine
}

func (t *Table[R]) dropRow(row Row) bool {
	r, mine := row.(R)
	if mine {
		*t = t.drop(r)
	}
	return mine
}
