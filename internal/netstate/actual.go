package netstate

import "net/netip"

// Actual is what the kernel has, as far as that is known: a state that was
// observed, or what stands after changes. After changes it shares its tables
// with the desired state, so that the next difference is a cheap one.
type Actual struct {
	*State
	kept *State // those of its rows that nobody wants and that Diff leaves alone
}

// Observed returns what is known after the kernel was looked at.
func Observed(s *State) Actual {
	return Actual{State: s, kept: &State{
		Links:    filter(s.Links, func(l Link) bool { return !l.Foreign() }),
		Offloads: s.Offloads,
		Sysctls:  s.Sysctls,
		Routes:   filter(s.Routes, func(r Route) bool { return !s.stays(r) }),
	}}
}

// Foreign returns the number of routes of a that are somebody else's and stay.
func (a Actual) Foreign() int { return a.kept.Routes.Len() }

// Settle returns what stands once every change of Diff(a, want) is made: want,
// and the rows that stay although nobody wants them.
func (a Actual) Settle(want *State) Actual {
	if rest, renamed := withNewNames(a.State, want); len(renamed) > 0 {
		a = Observed(rest)
	}
	if rest, remade, gone := withoutLostLinks(a.State, want); len(remade)+len(gone) > 0 {
		a = Observed(rest)
	}
	after := *want
	kept := *a.kept
	after.Links, kept.Links = beside(want.Links, a.kept.Links)
	after.Offloads, kept.Offloads = beside(want.Offloads, a.kept.Offloads)
	after.Sysctls, kept.Sysctls = beside(want.Sysctls, a.kept.Sysctls)
	after.Routes, kept.Routes = beside(want.Routes, a.kept.Routes)
	return Actual{State: &after, kept: &kept}
}

// beside returns want with the rows of kept that are not in the place of a
// wanted one, and those rows.
func beside[R row[R]](want, kept Table[R]) (after, still Table[R]) {
	d, k := want.Edit(), kept.Edit()
	for r := range kept.All() {
		if want.Has(r) {
			k.Remove(r)
		} else {
			d.Put(r)
		}
	}
	return d.Set(), k.Set()
}

// Overtaken returns the foreign routes of a that take packets away from routes
// of want, being more specific. They are not in the place of a wanted route,
// so Diff leaves them alone.
func (a Actual) Overtaken(want *State) []Route {
	var out []Route
	for r := range a.kept.Routes.All() {
		// The wanted routes do not overlap: only the last one that begins at or before r can hold it.
		for w := range want.Routes.Backward(r) {
			if w.Reject != "" { // which is there for what others do not take
				continue
			}
			if holds(w.Dst, r.Dst) {
				out = append(out, r)
			}
			break
		}
	}
	return out
}

// holds reports whether wide contains narrow, and more.
func holds(wide, narrow netip.Prefix) bool {
	return wide.Bits() < narrow.Bits() && wide.Contains(narrow.Addr())
}

// With returns a after ops were carried out and nothing else.
func (a Actual) With(ops []Op) Actual {
	s := a.State.Clone()
	s.applyAll(ops)
	kept := a.kept.Clone()
	for _, o := range ops {
		if _, device := o.Row.(Link); device {
			return Observed(s) // whose routes stay may be otherwise now
		}
		kept.Drop(o.Row)
	}
	return Actual{State: s, kept: kept}
}
