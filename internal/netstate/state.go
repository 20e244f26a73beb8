package netstate

import "fmt"

// State is a set of network objects: what a host should have, or what was
// found on it. A copy of it costs nothing, and copies that are changed share
// what did not change.
type State struct {
	Links    Table[Link]
	Offloads Table[Offload]
	Sysctls  Table[Sysctl] // behind the links, since some belong to one
	Addrs    Table[Addr]
	Neighs   Table[Neigh]
	FDB      Table[FDB]
	Peers    Table[Peer]
	Allowed  Table[Allowed] // behind the peers, whose they are
	Routes   Table[Route]

	Fast     Fast
	Firewall Firewall
}

// ConflictError says that two rows claim to be the same object with different
// attributes.
type ConflictError struct{ A, B Row }

// Error names both rows.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("objects contradict each other: %q and %q", e.A, e.B)
}

// StateOf returns the state of rows, of which a later one takes the place of
// an earlier one of the same identity.
func StateOf(rows ...Row) *State {
	s := &State{}
	for _, r := range rows {
		s.Put(r)
	}
	return s
}

// Merge adds o's rows to s. A contradiction is a *ConflictError.
func (s *State) Merge(o *State) (first error) {
	more := o.tables()
	for i, t := range s.tables() {
		if err := t.join(more[i]); first == nil {
			first = err
		}
	}
	return first
}

// Clone returns a copy; changing it does not change s.
func (s *State) Clone() *State {
	c := *s
	return &c
}

// Rows returns every row, table by table, each in its order.
func (s *State) Rows() []Row {
	out := make([]Row, 0, s.Len())
	for _, t := range s.tables() {
		out = t.appendTo(out)
	}
	return out
}

// Len is the number of rows.
func (s *State) Len() int {
	n := 0
	for _, t := range s.tables() {
		n += t.size()
	}
	return n
}

// Find returns the row of s that is the same object as probe, or nil.
func (s *State) Find(probe Row) Row {
	for _, t := range s.tables() {
		if found, mine := t.findRow(probe); mine {
			return found
		}
	}
	return nil
}

// Put adds r, or puts it in the place of the row that is the same object.
func (s *State) Put(r Row) {
	for _, t := range s.tables() {
		if t.putRow(r) {
			return
		}
	}
}

// Drop removes the row that is the same object as r. With a link goes all
// that stands on it, as in the kernel; with a peer what is allowed to it; with a firewall's table all that is in
// it, with a set its elements, and with a chain its rules.
func (s *State) Drop(r Row) {
	for _, t := range s.tables() {
		if t.dropRow(r) {
			break
		}
	}
	if l, ok := r.(Link); ok {
		s.dropDependents(l.Name)
	}
	if p, ok := r.(Peer); ok {
		s.Allowed = filter(s.Allowed, func(a Allowed) bool { return a.Dev == p.Dev && a.Key == p.Key })
	}
	s.Fast.dropDependents(r)
	s.Firewall.dropDependents(r)
}

func (s *State) dropDependents(dev string) {
	s.Offloads = s.Offloads.Without(Offload{Dev: dev})
	s.Sysctls = filter(s.Sysctls, func(c Sysctl) bool { return c.Dev() == dev })
	s.Addrs = filter(s.Addrs, func(a Addr) bool { return a.Dev == dev })
	s.Neighs = filter(s.Neighs, func(n Neigh) bool { return n.Dev == dev })
	s.FDB = filter(s.FDB, func(f FDB) bool { return f.Dev == dev })
	s.Peers = filter(s.Peers, func(p Peer) bool { return p.Dev == dev })
	s.Allowed = filter(s.Allowed, func(a Allowed) bool { return a.Dev == dev })
	s.Routes = filter(s.Routes, func(r Route) bool { return r.Dev == dev })
}
