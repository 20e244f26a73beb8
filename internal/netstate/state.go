package netstate

import (
	"fmt"
	"slices"
)

// State is a set of network objects: what a host should have, or what was
// found on it.
type State struct {
	Links   Table[Link]
	Sysctls Table[Sysctl] // behind the links, since some belong to one
	Addrs   Table[Addr]
	Neighs  Table[Neigh]
	FDB     Table[FDB]
	Routes  Table[Route]

	Firewall Firewall
}

// ConflictError says that two rows claim to be the same object with different
// attributes.
type ConflictError struct{ A, B Row }

// Error names both rows.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("rows contradict each other: %q and %q", e.A, e.B)
}

// Normalize sorts every table and drops repetitions. A contradiction is a
// *ConflictError; the state is then not usable.
func (s *State) Normalize() (err error) {
	norm(&s.Sysctls, &err)
	norm(&s.Links, &err)
	norm(&s.Addrs, &err)
	norm(&s.Neighs, &err)
	norm(&s.FDB, &err)
	norm(&s.Routes, &err)
	s.Firewall.normalize(&err)
	return err
}

func norm[R row[R]](t *Table[R], err *error) {
	sorted, e := t.normalize()
	*t = sorted
	if *err == nil {
		*err = e
	}
}

// Merge adds o's rows to s. A contradiction is a *ConflictError.
func (s *State) Merge(o *State) error {
	s.Sysctls = append(s.Sysctls, o.Sysctls...)
	s.Links = append(s.Links, o.Links...)
	s.Addrs = append(s.Addrs, o.Addrs...)
	s.Neighs = append(s.Neighs, o.Neighs...)
	s.FDB = append(s.FDB, o.FDB...)
	s.Routes = append(s.Routes, o.Routes...)
	s.Firewall.add(&o.Firewall)
	return s.Normalize()
}

// Clone returns a copy that shares nothing with s.
func (s *State) Clone() *State {
	return &State{
		Sysctls: slices.Clone(s.Sysctls),
		Links:   slices.Clone(s.Links),
		Addrs:   slices.Clone(s.Addrs),
		Neighs:  slices.Clone(s.Neighs),
		FDB:     slices.Clone(s.FDB),
		Routes:  slices.Clone(s.Routes),

		Firewall: s.Firewall.clone(),
	}
}

// CloneFor is Clone with room for n more rows in the tables that have one for
// each peer.
func (s *State) CloneFor(n int) *State {
	c := *s
	c.Neighs, c.FDB, c.Routes, c.Firewall.Elements = nil, nil, nil, nil
	c = *c.Clone()
	c.Firewall.Elements = append(slices.Grow(c.Firewall.Elements, len(s.Firewall.Elements)+n), s.Firewall.Elements...)
	c.Neighs = append(slices.Grow(c.Neighs, len(s.Neighs)+n), s.Neighs...)
	c.FDB = append(slices.Grow(c.FDB, len(s.FDB)+n), s.FDB...)
	c.Routes = append(slices.Grow(c.Routes, len(s.Routes)+n), s.Routes...)
	return &c
}

// Rows returns every row, table by table, each in its order.
func (s *State) Rows() []Row {
	out := make([]Row, 0, s.Len())
	out = appendRows(out, s.Links)
	out = appendRows(out, s.Sysctls)
	out = appendRows(out, s.Addrs)
	out = appendRows(out, s.Neighs)
	out = appendRows(out, s.FDB)
	out = appendRows(out, s.Routes)
	return s.Firewall.appendTo(out)
}

func appendRows[R row[R]](out []Row, t Table[R]) []Row {
	for _, r := range t {
		out = append(out, r)
	}
	return out
}

// Len is the number of rows.
func (s *State) Len() int {
	return len(s.Sysctls) + len(s.Links) + len(s.Addrs) + len(s.Neighs) + len(s.FDB) + len(s.Routes) + s.Firewall.len()
}

// Find returns the row of s that is the same object as probe, or nil.
func (s *State) Find(probe Row) Row {
	switch p := probe.(type) {
	case Sysctl:
		return found(s.Sysctls.Find(p))
	case Link:
		return found(s.Links.Find(p))
	case Addr:
		return found(s.Addrs.Find(p))
	case Neigh:
		return found(s.Neighs.Find(p))
	case FDB:
		return found(s.FDB.Find(p))
	case Route:
		return found(s.Routes.Find(p))
	}
	return s.Firewall.find(probe)
}

func found[R Row](r R, ok bool) Row {
	if !ok {
		return nil
	}
	return r
}

// Put adds r, or puts it in the place of the row that is the same object.
func (s *State) Put(r Row) {
	switch r := r.(type) {
	case Sysctl:
		s.Sysctls = s.Sysctls.put(r)
	case Link:
		s.Links = s.Links.put(r)
	case Addr:
		s.Addrs = s.Addrs.put(r)
	case Neigh:
		s.Neighs = s.Neighs.put(r)
	case FDB:
		s.FDB = s.FDB.put(r)
	case Route:
		s.Routes = s.Routes.put(r)
	default:
		s.Firewall.put(r)
	}
}

// Drop removes the row that is the same object as r. With a link goes all
// that stands on it, as in the kernel, and with a table all that is in it.
func (s *State) Drop(r Row) {
	switch r := r.(type) {
	case Sysctl:
		s.Sysctls = s.Sysctls.drop(r)
	case Link:
		s.Links = s.Links.drop(r)
		s.dropDependents(r.Name)
	case Addr:
		s.Addrs = s.Addrs.drop(r)
	case Neigh:
		s.Neighs = s.Neighs.drop(r)
	case FDB:
		s.FDB = s.FDB.drop(r)
	case Route:
		s.Routes = s.Routes.drop(r)
	default:
		s.Firewall.drop(r)
	}
}

func (s *State) dropDependents(dev string) {
	s.Sysctls = slices.DeleteFunc(s.Sysctls, func(c Sysctl) bool { return c.dev() == dev })
	s.Addrs = slices.DeleteFunc(s.Addrs, func(a Addr) bool { return a.Dev == dev })
	s.Neighs = slices.DeleteFunc(s.Neighs, func(n Neigh) bool { return n.Dev == dev })
	s.FDB = slices.DeleteFunc(s.FDB, func(f FDB) bool { return f.Dev == dev })
	s.Routes = slices.DeleteFunc(s.Routes, func(r Route) bool { return r.Dev == dev })
}
