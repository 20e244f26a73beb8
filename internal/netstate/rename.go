package netstate

// withNewNames returns have with those devices renamed that are wanted under
// another name, and how. A device whose name is wanted for another one makes
// room, instead of going down with all that stands on it; if nobody wants it,
// it goes first.
func withNewNames(have, want *State) (rest *State, ops []Op) {
	rest = have
	change := func(op Op) {
		if rest == have {
			rest = have.Clone()
		}
		rest.Apply(op)
		ops = append(ops, op)
	}
	for again := true; again; {
		again = false
		for w := range want.Links.All() {
			for _, op := range giveName(rest, want, w) {
				change(op)
				again = true
			}
		}
	}
	return rest, ops
}

// giveName returns what gives the device that w is, but for its name, that
// name: nothing if there is no such device, or the name is in use.
func giveName(have, want *State, w Link) (ops []Op) {
	if w.Kind != KindVXLAN { // others are known by their name alone
		return nil
	}
	h, ok := underOtherName(have, want, w)
	if !ok {
		return nil
	}
	if t, taken := have.Links.Find(w); taken {
		if t.Foreign() || t.mendable(w) || wanted(want, t) {
			return nil
		}
		ops = append(ops, Op{Verb: Remove, Row: t, Have: t})
	}
	row := h
	row.Name = w.Name
	return append(ops, Op{Verb: Rename, Row: row, Have: h})
}

// underOtherName finds the device that w is but for its name and what can be
// changed in place, unless it is wanted as it is named.
func underOtherName(have, want *State, w Link) (Link, bool) {
	for h := range have.Links.All() {
		if h.Name == w.Name || h.Foreign() || !h.sameBut(w) {
			continue
		}
		if right, wanted := want.Links.Find(h); !wanted || !h.mendable(right) {
			return h, true
		}
	}
	return Link{}, false
}

// wanted reports whether a device is wanted under whatever name.
func wanted(want *State, h Link) bool {
	for w := range want.Links.All() {
		if h.sameBut(w) {
			return true
		}
	}
	return false
}

// sameBut reports whether l is the device w but for its name and what can be
// changed in place.
func (l Link) sameBut(w Link) bool {
	w.Name = l.Name
	return l.mendable(w)
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
	s.Offloads = moved(s.Offloads, func(o Offload) Offload { return Offload{dev(o.Dev)} })
	s.Sysctls = moved(s.Sysctls, func(c Sysctl) Sysctl { return c.on(dev(c.Dev())) })
	s.Addrs = moved(s.Addrs, func(a Addr) Addr { a.Dev = dev(a.Dev); return a })
	s.Neighs = moved(s.Neighs, func(n Neigh) Neigh { n.Dev = dev(n.Dev); return n })
	s.FDB = moved(s.FDB, func(f FDB) FDB { f.Dev = dev(f.Dev); return f })
	s.Peers = moved(s.Peers, func(p Peer) Peer { p.Dev = dev(p.Dev); return p })
	s.Allowed = moved(s.Allowed, func(a Allowed) Allowed { a.Dev = dev(a.Dev); return a })
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
