package firewall

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

// need is packets that a chain must not stop, and the rules that accept them.
type need struct {
	traffic host.Traffic
	bodies  []netstate.Body
}

var families = map[netconf.Family]string{netconf.V4: "ip", netconf.V6: "ip6"}

// needs returns what comes by a chain: packets between containers, and on
// hosts with a tunnel those that carry them.
func (b *builder) needs(barrier host.Barrier) (out []need) {
	for _, r := range b.Net.Ranges {
		if bodies := bodiesAt(barrier.Hook, b.networks(r)); len(bodies) > 0 && barrier.Handles(families[r.Family()]) {
			inside := b.inside(barrier.Hook, r)
			inside.Astray = barrier.Stops(inside) == ""
			out = append(out, need{inside, bodies})
		}
	}
	for _, t := range b.Tunnels {
		if traffic, comes := b.tunnelled(barrier.Hook, t); comes && barrier.Handles(families[t.Family]) {
			// The guard drops what strangers sent.
			out = append(out, need{traffic, []netstate.Body{{UDPPort: t.Port, Proto: t.Proto}}})
		}
	}
	return out
}

// Stops returns how a chain can stop packets of a network on a host, "" if it
// cannot, or only while hosts switch between direct paths and the tunnel.
// tunnels are its ends there.
func Stops(net netconf.Network, tunnels []Tunnel, facts host.Facts, barrier host.Barrier) string {
	p := Plan{Net: net, Host: facts, Tunnels: tunnels}
	b := builder{Plan: &p}
	_, how, always := b.needed(barrier)
	if !always {
		return ""
	}
	return how
}

// bodiesAt returns the rules that accept packets of the networks at a hook.
// Where packets are forwarded, those to and from other places are accepted as
// well; what this host sends has one of its own addresses.
func bodiesAt(hook string, networks []netip.Prefix) (out []netstate.Body) {
	for _, n := range networks {
		switch hook {
		case "forward":
			out = append(out, netstate.Body{Src: netstate.From(n)}, netstate.Body{Dst: netstate.From(n)})
		case "output":
			out = append(out, netstate.Body{Dst: netstate.From(n)})
		case "prerouting", "postrouting", "ingress", "egress":
			for _, to := range networks {
				out = append(out, netstate.Body{Src: netstate.From(n), Dst: netstate.From(to)})
			}
		}
	}
	return out
}

// inside returns the packets between containers, or from this host to them.
func (b *builder) inside(hook string, r netconf.Range) host.Traffic {
	t := host.Traffic{Family: families[r.Family()], Src: b.networks(r), Dst: b.networks(r)}
	if hook == "output" {
		t.Src = nil
	}
	// While hosts leave the tunnel for host-gw there are tunnels, and packets that do not use them.
	tunnels := len(b.Tunnels) > 0 && b.Net.Backend.Type != "host-gw" && !b.Net.Backend.DirectRouting()
	if tunnels && b.Host.Uplink.Name != "" {
		t.Never = []string{b.Host.Uplink.Name}
	}
	return t
}

// tunnelled returns the packets of a tunnel as they come by a hook; false if
// they do not.
func (b *builder) tunnelled(hook string, tunnel Tunnel) (t host.Traffic, comes bool) {
	t = host.Traffic{Family: families[tunnel.Family], UDPPort: tunnel.Port, Proto: tunnel.Proto}
	is := netconf.Of(tunnel.Family)
	var own []netip.Prefix
	for _, a := range b.Host.Uplink.Addrs {
		if is(a) {
			own = append(own, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	near := slices.DeleteFunc(slices.Clone(b.Host.Uplink.OnLink), func(p netip.Prefix) bool { return !is(p.Addr()) })
	switch hook {
	case "input", "prerouting", "ingress":
		t.In, t.Src, t.Dst, t.OpenSrc = b.Host.Uplink.Name, near, own, true
	case "output", "postrouting", "egress":
		t.Out, t.Src, t.Dst, t.OpenDst = b.Host.Uplink.Name, own, near, true
	default:
		return t, false
	}
	return t, true
}
