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
	Foreign   Table[Foreign]
	Leftovers Table[Leftover] // never wanted
}

func (f *Firewall) normalize(err *error) {
	norm(&f.Tables, err)
	norm(&f.Sets, err)
	norm(&f.Elements, err)
	norm(&f.Chains, err)
	norm(&f.Rules, err)
	norm(&f.Foreign, err)
	norm(&f.Leftovers, err)
}

func (f *Firewall) add(o *Firewall) {
	f.Tables = append(f.Tables, o.Tables...)
	f.Sets = append(f.Sets, o.Sets...)
	f.Elements = append(f.Elements, o.Elements...)
	f.Chains = append(f.Chains, o.Chains...)
	f.Rules = append(f.Rules, o.Rules...)
	f.Foreign = append(f.Foreign, o.Foreign...)
	f.Leftovers = append(f.Leftovers, o.Leftovers...)
}

func (f *Firewall) clone() Firewall {
	return Firewall{
		Tables:    slices.Clone(f.Tables),
		Sets:      slices.Clone(f.Sets),
		Elements:  slices.Clone(f.Elements),
		Chains:    slices.Clone(f.Chains),
		Rules:     slices.Clone(f.Rules),
		Foreign:   slices.Clone(f.Foreign),
		Leftovers: slices.Clone(f.Leftovers),
	}
}

func (f *Firewall) len() int {
	return len(f.Tables) + len(f.Sets) + len(f.Elements) + len(f.Chains) + len(f.Rules) + len(f.Foreign) + len(f.Leftovers)
}

func (f *Firewall) appendTo(out []Row) []Row {
	out = appendRows(out, f.Tables)
	out = appendRows(out, f.Sets)
	out = appendRows(out, f.Elements)
	out = appendRows(out, f.Chains)
	out = appendRows(out, f.Rules)
	out = appendRows(out, f.Foreign)
	return appendRows(out, f.Leftovers)
}

func (f *Firewall) find(probe Row) Row {
	switch p := probe.(type) {
	case NFTable:
		return found(f.Tables.Find(p))
	case Set:
		return found(f.Sets.Find(p))
	case Element:
		return found(f.Elements.Find(p))
	case Chain:
		return found(f.Chains.Find(p))
	case Rule:
		return found(f.Rules.Find(p))
	case Foreign:
		return found(f.Foreign.Find(p))
	case Leftover:
		return found(f.Leftovers.Find(p))
	}
	return nil
}

func (f *Firewall) put(r Row) {
	switch r := r.(type) {
	case NFTable:
		f.Tables = f.Tables.put(r)
	case Set:
		f.Sets = f.Sets.put(r)
	case Element:
		f.Elements = f.Elements.put(r)
	case Chain:
		f.Chains = f.Chains.put(r)
	case Rule:
		f.Rules = f.Rules.put(r)
	case Foreign:
		f.Foreign = f.Foreign.put(r)
	case Leftover:
		f.Leftovers = f.Leftovers.put(r)
	}
}

// drop removes the row that is the same object as r; with a table goes all
// that is in it, with a set its elements, with a chain its rules.
func (f *Firewall) drop(r Row) {
	switch r := r.(type) {
	case NFTable:
		f.Tables = f.Tables.drop(r)
		f.Sets = slices.DeleteFunc(f.Sets, func(o Set) bool { return o.Table == r.Name })
		f.Elements = slices.DeleteFunc(f.Elements, func(o Element) bool { return o.Table == r.Name })
		f.Chains = slices.DeleteFunc(f.Chains, func(o Chain) bool { return o.Table == r.Name })
		f.Rules = slices.DeleteFunc(f.Rules, func(o Rule) bool { return o.Table == r.Name })
	case Set:
		f.Sets = f.Sets.drop(r)
		f.Elements = slices.DeleteFunc(f.Elements, func(o Element) bool { return o.Table == r.Table && o.Set == r.Name })
	case Element:
		f.Elements = f.Elements.drop(r)
	case Chain:
		f.Chains = f.Chains.drop(r)
		f.Rules = slices.DeleteFunc(f.Rules, func(o Rule) bool { return o.Table == r.Table && o.Chain == r.Name })
	case Rule:
		f.Rules = f.Rules.drop(r)
	case Foreign:
		f.Foreign = f.Foreign.drop(r)
	case Leftover:
		f.Leftovers = f.Leftovers.drop(r)
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
	diff(&accepts, rest.Foreign, want.Foreign, never[Foreign])
	diff(&late, rest.Leftovers, want.Leftovers, never[Leftover])
	slices.Reverse(d.remove)
	front = slices.Concat(remade, d.put, d.remove, accepts.put)
	return front, slices.Concat(accepts.remove, gone, late.remove)
}

// withoutLostTables returns have as it is without the tables that go. One
// whose sets or chains cannot be changed in place is remade.
func withoutLostTables(have, want *Firewall) (rest *Firewall, remade, gone []Op) {
	rest = have
	for _, h := range have.Tables {
		_, wanted := want.Tables.Find(h)
		if wanted && mendable(h.Name, have, want) {
			continue
		}
		if rest == have {
			clone := have.clone()
			rest = &clone
		}
		rest.drop(h)
		op := Op{Verb: Remove, Row: h, Have: h}
		if wanted {
			remade = append(remade, op)
		} else {
			gone = append(gone, op)
		}
	}
	return rest, remade, gone
}

// mendable reports whether what stands in a table can be turned into what is
// wanted there without removing sets or chains that rules refer to.
func mendable(table string, have, want *Firewall) bool {
	for _, h := range have.Sets {
		if w, ok := want.Sets.Find(h); h.Table == table && ok && w != h {
			return false
		}
	}
	for _, h := range have.Chains {
		w, ok := want.Chains.Find(h)
		if h.Drop = w.Drop; h.Table == table && ok && w != h {
			return false
		}
	}
	return true
}
