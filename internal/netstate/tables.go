package netstate

// tables lists every table of s, in the order in which Rows and Format have
// them.
func (s *State) tables() [21]table {
	f, p := &s.Firewall, &s.Fast
	return [...]table{
		handle[Link]{&s.Links}, handle[Offload]{&s.Offloads}, handle[Sysctl]{&s.Sysctls}, handle[Addr]{&s.Addrs}, handle[Neigh]{&s.Neighs},
		handle[FDB]{&s.FDB}, handle[Peer]{&s.Peers}, handle[Allowed]{&s.Allowed}, handle[Route]{&s.Routes},
		handle[FastPath]{&p.Paths}, handle[FastRemote]{&p.Remotes}, handle[FastPod]{&p.Pods}, handle[FastBridge]{&p.Bridges}, handle[FastHook]{&p.Hooks},
		handle[NFTable]{&f.Tables}, handle[Set]{&f.Sets}, handle[Element]{&f.Elements}, handle[Chain]{&f.Chains},
		handle[Rule]{&f.Rules}, handle[HookRule]{&f.HookRules}, handle[Leftover]{&f.Leftovers},
	}
}

// table is a Table of whatever rows. What takes a row does nothing and says
// so if the row is of another kind.
type table interface {
	join(o table) error // adds the rows of a table of the same kind
	appendTo([]Row) []Row
	size() int
	findRow(probe Row) (found Row, mine bool) // found is nil if there is none
	putRow(Row) (mine bool)
	dropRow(Row) (mine bool)
	applyRun(ops []Op) int // carries out those at the head that are about rows of its own, and counts them
}

// handle is a table in its place in a state.
type handle[R row[R]] struct{ t *Table[R] }

func (h handle[R]) join(o table) (err error) {
	d := h.t.Edit()
	for r := range o.(handle[R]).t.All() {
		if have, ok := d.Find(r); ok && have != r && err == nil {
			err = &ConflictError{A: have, B: r}
		}
		d.Put(r)
	}
	*h.t = d.Set()
	return err
}

func (h handle[R]) appendTo(out []Row) []Row {
	for r := range h.t.All() {
		out = append(out, r)
	}
	return out
}

func (h handle[R]) size() int { return h.t.Len() }

func (h handle[R]) findRow(probe Row) (Row, bool) {
	p, mine := probe.(R)
	if !mine {
		return nil, false
	}
	if r, ok := h.t.Find(p); ok {
		return r, true
	}
	return nil, true
}

func (h handle[R]) putRow(row Row) bool {
	r, mine := row.(R)
	if mine {
		*h.t = h.t.With(r)
	}
	return mine
}

func (h handle[R]) dropRow(row Row) bool {
	r, mine := row.(R)
	if mine {
		*h.t = h.t.Without(r)
	}
	return mine
}

func (h handle[R]) applyRun(ops []Op) (n int) {
	d := h.t.Edit()
	for _, o := range ops {
		r, mine := o.Row.(R)
		if !mine || o.Verb == Rename || o.Verb == Remove && holdsOthers(o.Row) {
			break
		}
		if o.Verb == Remove {
			d.Remove(r)
		} else {
			d.Put(r)
		}
		n++
	}
	if n > 0 {
		*h.t = d.Set()
	}
	return n
}

// holdsOthers reports whether other objects go when r goes.
func holdsOthers(r Row) bool {
	switch r.(type) {
	case Link, Peer, FastPath, NFTable, Set, Chain:
		return true
	}
	return false
}
