package netdump

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
)

// Kinds of routes that are asked for by name.
const (
	Unicast = "unicast"
	Local   = "local"
	throw   = "throw"
)

// Route is a route.
type Route struct {
	Kind   string       `json:"kind"` // "unicast", "local", "blackhole", ...
	Dst    netip.Prefix `json:"dst"`
	Hops   []Hop        `json:"hops,omitempty"`
	Src    netip.Addr   `json:"src,omitzero"`
	Metric uint32       `json:"metric,omitempty"`
	Table  uint32       `json:"table"`
	Proto  uint8        `json:"proto"`
	OnLink bool         `json:"onlink,omitempty"`
}

// Hop is one of the ways that a route leads.
type Hop struct {
	Via netip.Addr `json:"via,omitzero"`
	Dev string     `json:"dev"`
}

// String renders e.g. "10.5.7.0/24 via 10.5.7.0 dev flannel.1 proto 119 onlink".
func (r Route) String() string {
	var b strings.Builder
	say(&b, r.Kind != Unicast, "%s ", r.Kind)
	if r.Dst.Bits() == 0 {
		b.WriteString("default")
	} else {
		b.WriteString(r.Dst.String())
	}
	for _, h := range r.Hops {
		say(&b, len(r.Hops) > 1, " nexthop")
		say(&b, h.Via.IsValid(), " via %s", h.Via)
		say(&b, h.Dev != "", " dev %s", h.Dev)
	}
	say(&b, r.Table != host.MainTable && r.Table != 0, " table %s", host.TableName(r.Table))
	say(&b, r.Proto != 0, " proto %d", r.Proto)
	say(&b, r.Src.IsValid(), " src %s", r.Src)
	say(&b, r.Metric != 0, " metric %d", r.Metric)
	say(&b, r.OnLink, " onlink")
	return b.String()
}

// Question asks how a packet is routed.
type Question struct {
	Dst, Src netip.Addr // Src may be missing for a packet that this host sends
	In       string     // the device it arrived by; "": this host sends it
	Out      string     // the device that the sender asks for; "": any
	Mark     uint32
}

// Answer is how a packet is routed.
type Answer struct {
	Route          // with the one way that the packet takes; of Kind "": the answer is Refused
	Refused string // why the packet is not routed
}

// Hop returns the way that the packet takes.
func (a Answer) Hop() Hop {
	if len(a.Hops) == 0 {
		return Hop{}
	}
	return a.Hops[0]
}

// Rule returns the policy rule that decides about q, and its table.
func (h *Host) Rule(q Question) (rule host.PolicyRule, table uint32, found bool) {
	rule, route, found := h.decide(q)
	return rule, route.Table, found
}

// Lookup answers q as the kernel would, but for its caches and filters by source
// (rp_filter).
func (h *Host) Lookup(q Question) Answer {
	rule, route, found := h.decide(q)
	switch {
	case !found:
		return Answer{Refused: "no route leads there"}
	case rule.Action == host.Refuse:
		return Answer{Refused: "refused by policy rule " + rule.String()}
	case route.Kind != Unicast && route.Kind != Local:
		return Answer{Refused: "refused by route " + route.String()}
	}
	if len(route.Hops) > 1 {
		route.Hops = route.Hops[:1]
	}
	return Answer{Route: route}
}

// decide returns the first rule that refuses q or whose table has a route for it.
func (h *Host) decide(q Question) (host.PolicyRule, Route, bool) {
	next := uint32(0)
	for _, r := range h.rules(netconf.FamilyOf(q.Dst)) {
		if r.Priority < next || !selects(r, q) {
			continue
		}
		switch r.Action {
		case host.Refuse:
			return r, Route{}, true
		case host.Goto:
			next = r.Target
		case host.Lookup:
			table := r.Table
			if r.VRF {
				table = h.vrfOf(q)
			}
			if route, ok := h.best(q, table, r.Suppress); ok {
				return r, route, true
			}
		}
	}
	return host.PolicyRule{}, Route{}, false
}

// rules returns those of a family, or those that a kernel without policy rules goes by.
func (h *Host) rules(f netconf.Family) (out []host.PolicyRule) {
	for _, r := range h.Rules {
		if r.Family == f {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		for _, table := range []uint32{host.LocalTable, host.MainTable, host.DefaultTable} {
			out = append(out, host.PolicyRule{Family: f, Table: table, Suppress: -1})
		}
	}
	return out
}

func selects(r host.PolicyRule, q Question) bool {
	in := q.In
	if in == "" {
		in = "lo"
	}
	fits := (!r.Src.IsValid() || r.Src.Bits() == 0 || q.Src.IsValid() && r.Src.Contains(q.Src)) &&
		(!r.Dst.IsValid() || r.Dst.Contains(q.Dst)) && (r.In == "" || r.In == in) && (r.Out == "" || r.Out == q.Out) &&
		r.Mark&r.Mask == q.Mark&r.Mask && !r.Special && r.Proto == 0 && !r.Ports
	return fits != r.Not
}

// vrfOf returns the table of the VRF that q's device belongs to.
func (h *Host) vrfOf(q Question) uint32 {
	dev := q.In
	if dev == "" {
		dev = q.Out
	}
	if l, ok := h.Link(dev); ok {
		if master, ok := h.Link(l.Master); ok {
			return master.Table
		}
		return l.Table
	}
	return 0
}

// best returns the most specific route of a table for q; of several the best.
func (h *Host) best(q Question, table uint32, suppress int) (best Route, found bool) {
	for _, r := range h.Routes {
		switch {
		case r.Table != table || !r.Dst.Contains(q.Dst) || r.Dst.Bits() <= suppress:
		case q.Out != "" && r.Kind == Unicast && !leadsBy(r, q.Out):
		case !found, r.Dst.Bits() > best.Dst.Bits(), r.Dst.Bits() == best.Dst.Bits() && r.Metric < best.Metric:
			best, found = r, true
		}
	}
	return best, found && best.Kind != throw
}

func leadsBy(r Route, dev string) bool {
	for _, h := range r.Hops {
		if h.Dev == dev {
			return true
		}
	}
	return false
}

// Question as ip-route(8) is asked it.
func (q Question) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", q.Dst)
	say(&b, q.Src.IsValid(), " from %s", q.Src)
	say(&b, q.In != "", " iif %s", q.In)
	say(&b, q.Out != "", " oif %s", q.Out)
	say(&b, q.Mark != 0, " mark %#x", q.Mark)
	return b.String()
}
