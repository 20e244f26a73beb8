package netstate

// withNewNames returns have with those devices renamed that are wanted under
// another name, and how. A device whose name is wanted for another one makes
// room, instead of going down with all that stands on it.
func withNewNames(have, want *State) (rest *State, ops []Op) {
	rest = have
	for again := true; again; {
		again = false
		for w := range want.Links.All() {
			if _, taken := rest.Links.Find(w); taken || w.Foreign() {
				continue
			}
			h, ok := underOtherName(rest, want, w)
			if !ok {
				continue
			}
			if rest == have {
				rest = have.Clone()
			}
			row := h
			row.Name = w.Name
			op := Op{Verb: Rename, Row: row, Have: h}
			rest.Apply(op)
			ops, again = append(ops, op), true
		}
	}
	return rest, ops
}

// underOtherName finds the device that w is but for its name and what can be
// changed in place, unless it is wanted as it is named.
func underOtherName(have, want *State, w Link) (Link, bool) {
	for h := range have.Links.All() {
		named := w
		named.Name = h.Name
		if h.Foreign() || !h.mendable(named) {
			continue
		}
		if right, wanted := want.Links.Find(h); !wanted || !h.mendable(right) {
			return h, true
		}
	}
	return Link{}, false
}

// rename gives a device another name, and so all rows that stand on it.
func (s *State) rename(o Op) {
	from, to := o.Have.(Link).Name, o.Row.(Link).Name
	dev := func(name string) string {
		if name == from {
			return to
		}
		return name
	}
	s.Sysctls = moved(s.Sysctls, func(c Sysctl) Sysctl { return c.on(dev(c.Dev())) })
	s.Addrs = moved(s.Addrs, func(a Addr) Addr { a.Dev = dev(a.Dev); return a })
	s.Neighs = moved(s.Neighs, func(n Neigh) Neigh { n.Dev = dev(n.Dev); return n })
	s.FDB = moved(s.FDB, func(f FDB) FDB { f.Dev = dev(f.Dev); return f })
	s.Routes = moved(s.Routes, func(r Route) Route { r.Dev = dev(r.Dev); return r })
	s.Drop(o.Have)
	s.Put(o.Row)
}

func moved[R row[R]](t Table[R], move func(R) R) Table[R] {
	out := make([]R, 0, t.Len())
	for r := range t.All() {
		out = append(out, move(r))
	}
	after, _ := tableOf(out) // cannot contradict: nothing stood on the new name
	return after
}
