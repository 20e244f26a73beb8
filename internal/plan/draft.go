package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/fastpath"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/plan/wireguard"
	"github.com/weft-net/weft/internal/sorted"
)

// draft is a whole plan, with what led to it.
type draft struct {
	*basis
	families map[netconf.Family]familyDraft
	keys     sorted.Set[keyEnd]
	faults   []fault
	state    *netstate.State // nil: see contradiction

	contradiction error // between rows; a fault of the planner itself, since peers were checked against each other
}

func (d *draft) allProblems() []Problem {
	out := report(d.allLines())
	if d.contradiction != nil {
		out = append(out, Problem{Subject: "plan", Err: d.contradiction})
	}
	return out
}

// allLines returns what problems are made of, but for a contradiction.
func (d *draft) allLines() sorted.Set[line] {
	lines := d.lines(d.faults).Edit()
	for f, peers := range d.families {
		if l, crowded := d.crowded(f, peers.nearby); crowded {
			lines.Put(l)
		}
	}
	return lines.Set()
}

// familyDraft is the peers of a family in a draft.
type familyDraft struct {
	admission
	ends   []tunnelEnd // of the admitted that are tunnelled, sorted
	nearby int         // of the admitted
}

// draw plans everything.
func draw(in Input) *draft {
	s := &netstate.Builder{}
	leases := in.Peers.Slice()
	in.Peers = lease.Set{}
	d := &draft{basis: newBasis(s, &in), families: map[netconf.Family]familyDraft{}}
	var keys []keyEnd
	for _, r := range in.Net.Ranges {
		f := r.Family()
		a, bad := d.admit(f, leases)
		d.faults = slices.Concat(d.faults, bad, duplicates(f, a.admitted))
		d.families[f] = familyDraft{admission: a, nearby: d.countNear(f, a.admitted)}
		keys = append(keys, d.keyEnds(f, a.admitted)...)
		// Peers that this host cannot reach may still be right to send.
		for _, p := range a.admitted {
			if addr, ok := p.PublicAddr(f); ok {
				d.fw.Peers = append(d.fw.Peers, addr)
			}
		}
	}
	d.keys = sorted.Of(keys...)
	d.sendEncrypted(s, d.keys)
	for f, peers := range d.families {
		var unsent []fault
		peers.ends, unsent = d.send(s, f, peers.admitted, d.keys)
		d.families[f] = peers
		d.faults = append(d.faults, unsent...)
	}
	for _, p := range d.fw.Build(s) {
		d.problems = append(d.problems, Problem{Subject: "firewall", Err: p.Err, Note: p.Note})
	}
	d.fw.Peers = nil
	if d.state, d.contradiction = s.State(); d.contradiction != nil {
		d.state = nil
	}
	return d
}

// basis is the part of a plan that does not depend on peers.
type basis struct {
	in       *Input                                // without Peers
	networks map[netconf.Family][]netconf.Previous // the present one first
	tunnels  map[netconf.Family]tunnels            // this host's
	ciphers  map[netconf.Family]*wireguard.Device  // this host's ends of encrypted tunnels
	routed   map[netconf.Family]map[Kind]routed    // this host's ends of tunnels of routes
	carriers map[netconf.Family][]firewall.Tunnel  // what they receive
	taken    []host.Attached                       // networks of this host that subnets may collide with
	fw       firewall.Plan
	fast     fastpath.Plan
	problems []Problem // of the host itself
}

// newBasis adds what the host needs whoever its peers are.
func newBasis(s *netstate.Builder, in *Input) *basis {
	b := &basis{in: in, networks: map[netconf.Family][]netconf.Previous{}, ciphers: map[netconf.Family]*wireguard.Device{}}
	b.routed, b.carriers = map[netconf.Family]map[Kind]routed{}, map[netconf.Family][]firewall.Tunnel{}
	parameters(s, in)
	b.tunnels, b.problems = receive(s, in)
	b.receiveEncrypted(s)
	b.receiveRouted(s)
	b.reject(s)
	b.problems = append(b.problems, withheld(in)...)
	b.problems = append(b.problems, routingProblems(in)...)
	b.problems = append(b.problems, dockerProblems(in)...)
	b.fw = firewall.Plan{Net: in.Net, Previous: in.Previous, Host: in.Host, Options: in.Firewall, Subnets: slices.Concat(in.Self.Subnets, in.Draining)}
	for _, r := range in.Net.Ranges {
		f := r.Family()
		b.networks[f] = append([]netconf.Previous{r.Previous()}, ofFamily(in.Previous, f)...)
		for _, n := range b.networks[f] {
			b.take(in.Host.Taken(n.Network))
		}
		for _, t := range b.tunnels[f] {
			b.fw.Tunnels = append(b.fw.Tunnels, firewall.Tunnel{Family: f, Port: t.Conf.Port, VNI: t.Conf.VNI})
		}
		b.fw.Tunnels = append(b.fw.Tunnels, b.encryptedTunnels(f)...)
		b.fw.Tunnels = append(b.fw.Tunnels, b.carriers[f]...)
	}
	b.problems = append(b.problems, b.misplaced()...)
	b.problems = append(b.problems, b.fastPath(s)...)
	return b
}

// reject adds what stops packets that no other route takes: those for the network where
// nothing may travel in clear, which would leave by the host's default route, and, as an
// operator wants it, those for this host's subnet.
func (b *basis) reject(s *netstate.Builder) {
	if b.in.Net.Strict() {
		for _, r := range b.in.Net.Ranges {
			for _, n := range append([]netconf.Previous{r.Previous()}, ofFamily(b.in.Previous, r.Family())...) {
				s.Routes = append(s.Routes, netstate.Route{Dst: n.Network, Reject: netstate.Unreachable})
			}
		}
	}
	if b.in.Firewall.Blackhole {
		for _, subnet := range slices.Concat(b.in.Self.Subnets, b.in.Draining) {
			s.Routes = append(s.Routes, netstate.Route{Dst: subnet, Reject: netstate.Blackhole})
		}
	}
}

// take adds to the networks that subnets may collide with.
func (b *basis) take(networks []host.Attached) {
	for _, a := range networks {
		if !slices.Contains(b.taken, a) {
			b.taken = append(b.taken, a)
		}
	}
}

// misplaced tells of own subnets in which other hosts are, or that two bridges
// of containers have: the host reaches what is on one of them alone.
func (b *basis) misplaced() (out []Problem) {
	tell := func(text string, args ...any) {
		out = append(out, Problem{Subject: "this host", Err: fmt.Errorf(text, args...)})
	}
	for _, own := range b.in.Self.Subnets {
		var bridges []string
		for _, a := range b.taken {
			switch {
			case a.Local && a.Prefix == own:
				bridges = append(bridges, a.Dev)
			case !a.Local && a.Prefix.Overlaps(own):
				tell("its subnet %s overlaps %s on its interface %s; %s", own, a.Prefix, a.Dev, renumber(a))
			}
		}
		if len(bridges) > 1 {
			tell("its subnet %s is on %s, and containers of one only are reached; let one container runtime use the subnet, and give the other another range", own, strings.Join(bridges, " and "))
		}
	}
	return out
}

func ofFamily(previous []netconf.Previous, f netconf.Family) []netconf.Previous {
	return slices.DeleteFunc(slices.Clone(previous), func(p netconf.Previous) bool { return p.Family() != f })
}
