package host

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
)

// Diversion is a policy rule by which packets to containers do not get to the
// main table, where weft's routes are.
type Diversion struct {
	Rule    PolicyRule
	Route   Route        // by which they go; zero: the rule refuses them
	Network netip.Prefix // the overlay network that they are for
	Narrow  bool         // it asks for a protocol or ports
	Before  uint32       // the least priority of all such rules of the network
}

// anyDevice stands for the devices of pods, which no rule names.
const anyDevice = "*"

// diversions returns the rules that take packets to the overlay networks away
// from the main table: those of containers, and those that this host sends, by
// its own choice of an address or from one of those that it announces. own are
// the devices of the overlay: where they lead to, packets are right.
func (t *Routing) diversions(networks []netip.Prefix, uplink Uplink, own []string) (out []Diversion) {
	for _, n := range networks {
		var found []Diversion
		for _, f := range overlayFlows(n, uplink, own) {
			for s := range t.lookup(f, []netip.Prefix{n}, beforeMain(n)) {
				d, diverts := divert(s, n, own)
				known := slices.ContainsFunc(found, func(o Diversion) bool { return o.Rule == d.Rule })
				if diverts && !known {
					found = append(found, d)
				}
			}
		}
		slices.SortStableFunc(found, func(a, b Diversion) int { return cmp.Compare(a.Rule.Priority, b.Rule.Priority) })
		for i := range found {
			found[i].Before = found[0].Rule.Priority
		}
		out = append(out, found...)
	}
	return out
}

// overlayFlows lists what is sent to a network's containers.
func overlayFlows(n netip.Prefix, uplink Uplink, own []string) []flow {
	f := netconf.FamilyOf(n.Addr())
	flows := []flow{{family: f, in: "lo"}, {family: f, in: "lo", src: n}}
	for _, a := range uplink.Addrs {
		if netconf.FamilyOf(a) == f {
			flows = append(flows, flow{family: f, in: "lo", src: netip.PrefixFrom(a, a.BitLen())})
		}
	}
	for _, dev := range append([]string{anyDevice}, own...) {
		flows = append(flows, flow{family: f, in: dev, src: n})
	}
	return flows
}

// beforeMain settles all that gets to the main table: weft sees to that.
func beforeMain(n netip.Prefix) func(share) []netip.Prefix {
	return func(s share) []netip.Prefix {
		if isMain(s, n) {
			return s.dst
		}
		return settled(s)
	}
}

// isMain reports whether a share's packets go by weft's routes.
func isMain(s share, n netip.Prefix) bool { return s.table == MainTable && s.rule.Suppress <= n.Bits() }

func divert(s share, n netip.Prefix, own []string) (Diversion, bool) {
	d := Diversion{Rule: s.rule, Network: n, Narrow: s.rule.Proto != 0 || s.rule.Ports}
	if s.table == 0 || isMain(s, n) {
		return d, s.table == 0
	}
	lost := settled(s)
	for _, r := range s.routes {
		leads := slices.ContainsFunc(lost, r.Dst.Overlaps)
		if leads && !r.Throw && !slices.Contains(own, r.Dev) {
			d.Route = r
			return d, true
		}
	}
	return d, false
}
