package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/host"
)

// routingProblems says how the host's policy rules and VRFs keep packets from
// containers.
func routingProblems(in *Input) (out []Problem) {
	u := in.Host.Uplink
	if u.VRF != "" && in.direct() {
		out = append(out, Problem{Subject: "uplink " + u.Name, Err: fmt.Errorf(
			"belongs to VRF %s, where packets that peers send without a tunnel are not routed to containers; "+
				"use vxlan without DirectRouting, or name an interface outside of the VRF with --iface", u.VRF)})
	}
	for _, d := range in.Host.Diversions {
		out = append(out, Problem{Subject: fmt.Sprintf("policy rule %d", d.Rule.Priority), Err: diverted(d), Note: d.Narrow})
	}
	return out
}

// diverted says what a diversion does and what ends it.
func diverted(d host.Diversion) error {
	how := fmt.Sprintf("sends packets for containers in %s by route %q of table %s", d.Network, d.Route, host.TableName(d.Route.Table))
	switch {
	case d.Rule.Action == host.Refuse, d.Route.Dev == "" && d.Route.Dst.IsValid():
		how = fmt.Sprintf("refuses packets for containers in %s", d.Network)
	}
	return fmt.Errorf("%q %s, ahead of weft's routes in table main; if that is not intended, add: %s",
		d.Rule, how, toMain(d.Network, d.Before))
}

// toMain is the command for a rule that goes before the one with the priority.
func toMain(to netip.Prefix, priority uint32) string {
	return fmt.Sprintf("%s rule add to %s lookup main priority %d", ip(to.Addr()), to, max(priority, 1)-1)
}

func ip(a netip.Addr) string {
	if a.Is6() {
		return "ip -6"
	}
	return "ip"
}

// strays returns an error if the packets of a tunnelled path do not leave by the
// uplink; without a path, which sending tells, there is none.
func (b *basis) strays(path *Path, sending error) error {
	u := b.in.Host.Uplink
	if sending != nil || path.Kind == Direct || path.Kind == Elsewhere || len(u.Unreached) == 0 {
		return nil
	}
	i := slices.IndexFunc(u.Unreached, func(x host.Unreached) bool { return x.Dst.Contains(path.Remote) })
	if i < 0 {
		return nil
	}
	remedy := fmt.Sprintf("%s route add %s via GATEWAY dev %s", ip(path.Remote), path.Remote, u.Name)
	if u.VRF != "" {
		remedy += " vrf " + u.VRF
	}
	rule := u.Unreached[i].Rule
	cause := fmt.Sprintf("policy rule %q", rule)
	switch {
	case rule == host.PolicyRule{}:
		return fmt.Errorf("no route leads to its address %s by uplink %s; add: %s", path.Remote, u.Name, remedy)
	case rule.Action == host.Lookup && rule.Table != host.MainTable && u.VRF == "":
		single := netip.PrefixFrom(path.Remote, path.Remote.BitLen())
		remedy = toMain(single, rule.Priority)
	case rule.Table == host.MainTable:
		cause = "another route in table main"
	}
	return fmt.Errorf("packets to its address %s do not leave by uplink %s, because of %s; add: %s", path.Remote, u.Name, cause, remedy)
}
