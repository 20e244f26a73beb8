package netstate

import (
	"slices"

	"github.com/weft-net/weft/internal/sorted"
)

// Verb is what an Op does.
type Verb uint8

// The verbs.
const (
	Add     Verb = iota // the object is not there
	Replace             // the object is there with other attributes
	Remove              // the object is there and not wanted
	Rename              // the device is there under another name, and what stands on it goes along
)

// String returns "+", "~", "-" or ">".
func (v Verb) String() string { return [...]string{"+", "~", "-", ">"}[v] }

// Name returns "add", "replace", "remove" or "rename".
func (v Verb) Name() string { return [...]string{"add", "replace", "remove", "rename"}[v] }

// Op is one change to the host.
type Op struct {
	Verb Verb
	Row  Row // the wanted row; for Remove the row to remove
	Have Row // what stands there now; nil for Add
}

// String renders e.g. "+ route 172.7.22.0/24 via 10.4.7.22 dev eth0".
func (o Op) String() string { return o.Verb.String() + " " + o.Row.String() }

// Apply records on s that o was carried out.
func (s *State) Apply(o Op) {
	switch o.Verb {
	case Remove:
		s.Drop(o.Row)
	case Rename:
		s.rename(o)
	default:
		s.Put(o.Row)
	}
}

// applyAll records on s that ops were carried out. Many ops about one table
// cost little more than one.
func (s *State) applyAll(ops []Op) {
	for len(ops) > 0 {
		n := 0
		for _, t := range s.tables() {
			if n = t.applyRun(ops); n > 0 {
				break
			}
		}
		if n == 0 {
			s.Apply(ops[0])
			n = 1
		}
		ops = ops[n:]
	}
}

// Diff returns the changes that lead from have to want, in the order in which
// they must be made: what others stand on comes first, removal is the
// reverse, and nothing is removed before its successor stands, but for
// devices and firewall tables that have to be made anew. A device that is
// wanted under another name gets that first, of one that nobody wants if need be. Firewall rows are put
// before all else and go last. Rows of have that somebody else owns are
// replaced when they stand where a wanted row belongs and never removed, but
// for what flanneld left on devices that are ours.
// What both states share is passed over, so that the difference costs what has
// changed.
func Diff(have, want *State) []Op {
	rest, renamed := withNewNames(have, want)
	rest, remade, gone := withoutLostLinks(rest, want)
	var d differ
	diff(&d, rest.Links, want.Links, Link.Foreign)
	diff(&d, rest.Offloads, want.Offloads, always[Offload])
	d.sysctls(rest.Sysctls, want.Sysctls)
	diff(&d, rest.Addrs, want.Addrs, never[Addr])
	diff(&d, rest.Neighs, want.Neighs, never[Neigh])
	diff(&d, rest.FDB, want.FDB, never[FDB])
	d.peers(rest.Peers, want.Peers)
	d.allowed(rest, want)
	diff(&d, rest.Routes, want.Routes, rest.stays)
	d.fast(&rest.Fast, &want.Fast)
	slices.Reverse(d.remove)
	front, rear := diffFirewall(&have.Firewall, &want.Firewall)
	return slices.Concat(front, renamed, remade, d.put, d.remove, gone, rear)
}

// withoutLostLinks returns have as it is without the devices that go, and
// without what stands on them, since that goes along. Devices that cannot be
// changed in place are remade: they go first and come anew. The others are
// just gone: they go last.
func withoutLostLinks(have, want *State) (rest *State, remade, gone []Op) {
	rest = have
	for h := range have.Links.All() {
		w, wanted := want.Links.Find(h)
		if h.Foreign() || wanted && h.mendable(w) {
			continue
		}
		if rest == have {
			rest = have.Clone()
		}
		rest.Drop(h)
		op := Op{Verb: Remove, Row: h, Have: h}
		if wanted {
			remade = append(remade, op)
		} else {
			gone = append(gone, op)
		}
	}
	return rest, remade, gone
}

func never[R any](R) bool { return false }

func always[R any](R) bool { return true }

// differ gathers what is put and what goes.
type differ struct{ put, remove []Op }

// sysctls goes over what differs in parameters. Nobody's go.
func (d *differ) sysctls(have, want Table[Sysctl]) {
	var all differ
	diff(&all, have, want, always[Sysctl])
	for _, o := range all.put {
		if have, ok := o.Have.(Sysctl); !ok || !o.Row.(Sysctl).allows(have) {
			d.put = append(d.put, o)
		}
	}
}

// peers goes over what differs in peers, but for an endpoint that is known better.
func (d *differ) peers(have, want Table[Peer]) {
	var all differ
	diff(&all, have, want, never[Peer])
	for _, o := range all.put {
		if have, ok := o.Have.(Peer); !ok || !o.Row.(Peer).allows(have) {
			d.put = append(d.put, o)
		}
	}
	d.remove = append(d.remove, all.remove...)
}

// allowed goes over what differs in what peers are allowed. What a peer that
// goes is allowed goes with it, and so does nothing by itself.
func (d *differ) allowed(have, want *State) {
	var all differ
	diff(&all, have.Allowed, want.Allowed, never[Allowed])
	d.put = append(d.put, all.put...)
	for _, o := range all.remove {
		a := o.Row.(Allowed)
		peer := Peer{Dev: a.Dev, Key: a.Key}
		if want.Peers.Has(peer) || !have.Peers.Has(peer) {
			d.remove = append(d.remove, o)
		}
	}
}

// diff goes over what differs in two tables. keep tells which rows of have
// stay although nobody wants them.
func diff[R row[R]](d *differ, have, want Table[R], keep func(R) bool) {
	for c := range sorted.Diff(have, want) {
		switch {
		case c.Old == nil:
			d.put = append(d.put, Op{Verb: Add, Row: *c.New})
		case c.New == nil:
			if !keep(*c.Old) {
				d.remove = append(d.remove, Op{Verb: Remove, Row: *c.Old, Have: *c.Old})
			}
		case *c.Old != *c.New:
			d.put = append(d.put, Op{Verb: Replace, Row: *c.New, Have: *c.Old})
		}
	}
}
