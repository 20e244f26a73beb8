package host

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
)

// Routing is how this host routes packets: the kernel goes through the rules of
// the packet's family, and the first whose table has a route for it decides.
type Routing struct {
	Rules   []PolicyRule // in order; of a family without any, main and default are looked up
	Routes  []Route      // of all tables that a rule names; v4 first, best metric first
	Partial bool         // routes are left out: what is not on-link may be reached or not
}

// rules returns those of a family, without those for the host's own addresses.
func (t *Routing) rules(f netconf.Family) []PolicyRule {
	var out []PolicyRule
	known := false
	for _, r := range t.Rules {
		known = known || r.Family == f
		if r.Family == f && r.Table != LocalTable {
			out = append(out, r)
		}
	}
	if !known {
		for i, table := range []uint32{MainTable, DefaultTable} {
			out = append(out, PolicyRule{Family: f, Priority: 32766 + uint32(i), Table: table, Suppress: -1})
		}
	}
	return out
}

// main returns the routes of the main table.
func (t *Routing) main() []Route {
	return slices.DeleteFunc(slices.Clone(t.Routes), func(r Route) bool { return r.Table != MainTable })
}

// table returns the routes of a family in a table which r does not pass over.
func (t *Routing) table(r PolicyRule, table uint32) []Route {
	var out []Route
	for _, one := range t.Routes {
		if one.Table == table && one.Family() == r.Family && one.Dst.Bits() > r.Suppress {
			out = append(out, one)
		}
	}
	return out
}

// share is what one rule does with a flow.
type share struct {
	rule   PolicyRule
	table  uint32         // that it looks up; 0: none, it refuses the packets
	dst    []netip.Prefix // that it applies to, and no rule before it has decided about
	routes []Route        // of the table
	all    bool           // it fits all of the packets there, not only some
}

// lookup goes with the packets of a flow to destinations from rule to rule.
// settle says about which of a share's destinations it decides.
func (t *Routing) lookup(f flow, dst []netip.Prefix, settle func(share) []netip.Prefix) iter.Seq[share] {
	return func(yield func(share) bool) {
		left, next := dst, uint32(0)
		for _, r := range t.rules(f.family) {
			if r.Priority < next || r.Action == Pass {
				continue
			}
			part, all := r.applies(f, left)
			if len(part) == 0 {
				continue
			}
			if r.Action == Goto {
				if all && r.Target > r.Priority {
					next = r.Target
				}
				continue
			}
			s := t.share(r, f)
			s.dst, s.all = part, all
			if !yield(s) {
				return
			}
			if all {
				left = subtract(left, settle(s))
			}
		}
	}
}

func (t *Routing) share(r PolicyRule, f flow) share {
	s := share{rule: r, table: r.Table}
	switch {
	case r.Action == Refuse:
		s.table = 0
	case r.VRF:
		s.table = f.vrf
	}
	if s.table != 0 {
		s.routes = t.table(r, s.table)
	}
	return s
}

// settled returns the destinations of a share about which it decides, in one
// way or another.
func settled(s share) []netip.Prefix {
	if s.table == 0 {
		return s.dst
	}
	return shared(s.dst, covered(s.routes))
}

// covered returns the destinations of routes, less those that a more specific
// one leaves to the next rule.
func covered(routes []Route) []netip.Prefix {
	return paint(routes, func(r Route) bool { return !r.Throw })
}

// paint returns the destinations for which the most specific route, or the best
// of several, is one of those that take.
func paint(routes []Route, take func(Route) bool) (out []netip.Prefix) {
	sorted := slices.Clone(routes)
	slices.SortStableFunc(sorted, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Dst.Bits(), b.Dst.Bits()), cmp.Compare(b.Metric, a.Metric), less(take(a), take(b)))
	})
	for _, r := range sorted {
		if take(r) {
			out = with(out, r.Dst)
		} else {
			out = without(out, r.Dst)
		}
	}
	slices.SortFunc(out, comparePrefixes)
	return out
}

// every is all addresses of a family.
func every(f netconf.Family) []netip.Prefix {
	if f == netconf.V6 {
		return []netip.Prefix{netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	}
	return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
}
