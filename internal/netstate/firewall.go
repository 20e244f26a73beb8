package netstate

import "slices"

// Firewall is the part of a State that is kept by nftables, or by whatever
// else filters packets on the host. Its tables stand in the order in which
// rows are put: a guard's addresses before the rule that drops all others.
type Firewall struct {
	Tables    Table[NFTable]
	Sets      Table[Set]
	Elements  Table[Element]
	Chains    Table[Chain]
	Rules     Table[Rule]
	HookRules Table[HookRule]
	Leftovers Table[Leftover] // never wanted
}

// dropDependents removes what goes with r: with a table all that is in it,
// with a set its elements, with a chain its rules.
func (f *Firewall) dropDependents(r Row) {
	switch r := r.(type) {
	case NFTable:
		f.Sets = filter(f.Sets, func(o Set) bool { return o.Table == r.Name })
		f.Elements = filter(f.Elements, func(o Element) bool { return o.Table == r.Name })
		f.Chains = filter(f.Chains, func(o Chain) bool { return o.Table == r.Name })
		f.Rules = filter(f.Rules, func(o Rule) bool { return o.Table == r.Name })
	case Set:
		f.Elements = filter(f.Elements, func(o Element) bool { return o.Table == r.Table && o.Set == r.Name })
	case Chain:
		f.Rules = filter(f.Rules, func(o Rule) bool { return o.Table == r.Table && o.Chain == r.Name })
	}
}

// diffFirewall returns what is done before all other changes, and what after:
// the guard stands before a tunnel comes up, and rules go last.
func diffFirewall(have, want *Firewall) (front, rear []Op) {
	rest, remade, gone := withoutLostTables(have, want)
	var d, accepts, late differ
	diff(&d, rest.Tables, want.Tables, never[NFTable])
	diff(&d, rest.Sets, want.Sets, never[Set])
	diff(&d, rest.Elements, want.Elements, never[Element])
	diff(&d, rest.Chains, want.Chains, never[Chain])
	diff(&d, rest.Rules, want.Rules, never[Rule])
	diff(&accepts, rest.HookRules, want.HookRules, never[HookRule])
	diff(&late, rest.Leftovers, want.Leftovers, never[Leftover])
	slices.Reverse(d.remove)
	front = slices.Concat(remade, d.put, d.remove, accepts.put)
	return front, slices.Concat(accepts.remove, gone, late.remove)
}

// withoutLostTables returns have as it is without the tables that go. One
// whose sets or chains cannot be changed in place is remade.
func withoutLostTables(have, want *Firewall) (rest *Firewall, remade, gone []Op) {
	rest = have
	for h := range have.Tables.All() {
		_, wanted := want.Tables.Find(h)
		if wanted && mendable(h.Name, have, want) {
			continue
		}
		rest = rest.without(h)
		op := Op{Verb: Remove, Row: h, Have: h}
		if wanted {
			remade = append(remade, op)
		} else {
			gone = append(gone, op)
		}
	}
	return rest, remade, gone
}

// without returns a copy of f without a table and all that is in it.
func (f *Firewall) without(t NFTable) *Firewall {
	s := (&State{Firewall: *f}).Clone()
	s.Drop(t)
	return &s.Firewall
}

// mendable reports whether what stands in a table can be turned into what is
// wanted there without removing sets or chains that rules refer to.
func mendable(table string, have, want *Firewall) bool {
	for h := range have.Sets.All() {
		if w, ok := want.Sets.Find(h); h.Table == table && ok && w != h {
			return false
		}
	}
	for h := range have.Chains.All() {
		w, ok := want.Chains.Find(h)
		if h.Drop = w.Drop; h.Table == table && ok && w != h {
			return false
		}
	}
	return true
}
