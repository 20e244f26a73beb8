package explain

import (
	"fmt"
	"net/netip"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netdump"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// forward follows the packet from where this host routes it to where it leaves, or is
// delivered.
func (t *trace) forward() {
	if !t.translate() || !t.assigned() {
		return
	}
	t.fastPath()
	a, ok := t.routed()
	if !ok {
		return
	}
	if a.Kind == netdump.Local {
		t.packet.local = true
		if _, passes := t.hook("input", "input", t.packet); passes {
			t.add(Station{Name: "destination", Object: t.packet.dst.String(), Note: "this host itself takes it"})
		}
		return
	}
	hop := a.Hop()
	t.packet.out = hop.Dev
	hooks := []string{"forward", "postrouting", "egress"}
	if t.packet.in == "" {
		hooks = hooks[1:]
	}
	for _, hook := range hooks {
		if _, passes := t.hook(hook, hook, t.packet); !passes {
			return
		}
	}
	next := hop.Via
	if !next.IsValid() {
		next = t.packet.dst
	}
	if t.leaves(hop.Dev, next) {
		t.arrived(hop.Dev)
	}
}

// translate takes the packet through what comes before routing, where its destination may
// become another.
func (t *trace) translate() bool {
	t.packet.local = t.Kernel.Owner(t.packet.dst) != ""
	if why := t.Kernel.Firewall.Absent; why != "" {
		t.add(Station{Name: "firewall", Object: "nftables", State: Unknown, Note: "its rules cannot be read: " + why})
	}
	hooks := []string{"ingress", "prerouting"}
	p := t.packet
	if p.in == "" {
		hooks = []string{"output"}
		a, ok := t.ask(netdump.Question{Dst: p.dst, Src: p.src})
		if !ok {
			return false
		}
		p.out = a.Hop().Dev
	}
	for _, hook := range hooks {
		to, passes := t.hook(hook, hook, p)
		if !passes {
			return false
		}
		if len(to) > 0 {
			note := "the destination becomes " + to[0].String()
			if len(to) > 1 {
				note = fmt.Sprintf("the destination becomes one of %d addresses; followed to the first: %s", len(to), join(to))
			}
			t.add(Station{Name: "service", Object: t.packet.dst.String(), Note: note})
			t.packet.dst, t.translated = to[0], true
		}
	}
	return true
}

// assigned stops the packet to an address of the network that no host has leased.
func (t *trace) assigned() bool {
	if t.place(t.packet.dst).Kind != Unassigned {
		return true
	}
	return t.broken("lease", t.packet.dst.String(), "no host has a lease for this address", leaseRemedy)
}

// routed adds the policy rule and the route, and compares that with the plan.
func (t *trace) routed() (netdump.Answer, bool) {
	q := netdump.Question{Dst: t.packet.dst, Src: t.packet.src, In: t.packet.in}
	a, ok := t.ask(q)
	if !ok {
		return a, false
	}
	rule, table, found := t.Kernel.Rule(q)
	if found && (a.Refused != "" || table == a.Table) {
		t.add(Station{Name: "policy rule", Object: rule.String()})
	}
	want, planned := t.planned(t.packet.dst)
	switch {
	case planned && (a.Refused != "" || !same(a, want)):
		return a, t.wrongRoute(a, want)
	case a.Refused != "":
		return a, t.broken("route", "to "+q.String(), a.Refused, t.noRouteRemedy())
	case t.place(t.packet.dst).Kind == PeerSubnet && t.Plan != nil && !planned:
		return a, t.unplanned(a)
	}
	return a, t.add(Station{Name: "route", Object: a.String()})
}

// planned returns the route of the plan for an address.
func (t *trace) planned(dst netip.Addr) (best netstate.Route, found bool) {
	if t.Plan == nil {
		return best, false
	}
	for r := range t.Plan.Routes.All() {
		if r.Dst.Contains(dst) && (!found || r.Dst.Bits() > best.Dst.Bits()) {
			best, found = r, true
		}
	}
	return best, found
}

func same(a netdump.Answer, want netstate.Route) bool {
	hop := a.Hop()
	return a.Kind == netdump.Unicast && hop.Dev == want.Dev && (hop.Via == want.Via || !hop.Via.IsValid() && want.Via == a.Dst.Addr())
}

func (t *trace) wrongRoute(a netdump.Answer, want netstate.Route) bool {
	if a.Refused != "" {
		return t.broken("route", want.String(), "not what packets take: "+a.Refused, t.refusedRemedy(a))
	}
	if a.Table != host.MainTable && a.Table != 0 {
		return t.broken("route", a.String(), "a policy rule leads to another table than main, where weft's is: "+want.String(),
			fmt.Sprintf("ip rule add to %s priority N lookup main, N being less than the rule's", want.Dst))
	}
	if a.Proto == owned.RouteProtocol {
		return t.broken("route", a.String(), "not as planned: "+want.String(), t.restore())
	}
	if a.Dst.Bits() >= want.Dst.Bits() {
		return t.broken("route", a.String(), "a foreign route overrides weft's: "+want.String(), "if it is not intended: ip route del "+a.String())
	}
	return t.broken("route", a.String(), "weft's is missing: "+want.String(), t.restore())
}

func (t *trace) refusedRemedy(a netdump.Answer) string {
	for _, r := range t.Kernel.Routes {
		if t.Plan != nil && r.Table == host.MainTable && r.Dst.Contains(t.packet.dst) && r.Kind != netdump.Unicast {
			return "if it is not intended: ip route del " + r.String()
		}
	}
	return t.restore()
}

func (t *trace) noRouteRemedy() string {
	if t.place(t.packet.dst).Kind == PeerSubnet {
		return t.restore()
	}
	return "'ip route get' and 'ip rule' show how this host routes it"
}

// unplanned ends the way to a peer that the plan has no route to.
func (t *trace) unplanned(a netdump.Answer) bool {
	peer, _ := t.peer(t.place(t.packet.dst))
	note, remedy := "the plan has no route to this peer", "'weft status --problems' and 'weft events' say why"
	if peer.Problem != "" {
		note, remedy = peer.Problem, "see docs/guides/troubleshoot.md"
	}
	return t.broken("route", a.String(), note, remedy)
}
