package firewall

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

// proxyMark is set by kube-proxy on packets that it wants masqueraded, among
// other marks.
const proxyMark = 0x4000

var multicast = map[netconf.Family]netip.Prefix{
	netconf.V4: netip.MustParsePrefix("224.0.0.0/4"),
	netconf.V6: netip.MustParsePrefix("ff00::/8"),
}

// nat decides on the source address of each new connection. What is settled
// here, even as it is, no later chain changes: not Docker's MASQUERADE rule
// for its bridge, nor that of a CNI plugin.
func (b *builder) nat() {
	b.chain(netstate.Chain{Name: natChain, Type: "nat", Hook: "postrouting", Priority: srcnatFirst})
	b.rule(natChain, netstate.Body{Mark: proxyMark, Mask: proxyMark, Verdict: netstate.Return})
	for _, r := range b.Net.Ranges {
		b.natOf(r)
	}
}

// networks returns r's network and the former ones that it does not hold.
func (b *builder) networks(r netconf.Range) []netip.Prefix {
	out := []netip.Prefix{r.Network}
	for _, p := range b.Previous {
		if p.Family() == r.Family() && !r.Previous().Holds(p.Network) && !slices.Contains(out, p.Network) {
			out = append(out, p.Network)
		}
	}
	return out
}

// natOf makes the rules of one family. Rules that keep a source come first. A
// connection within the network whose destination was translated is left to
// the program that translated it, which alone knows whether the source must be
// translated as well: a container that reaches itself through a service or a
// port of its host gets no answer while it sees its own address as the source.
// IPVS, as of kube-proxy, changes a destination without setting the status of
// the connection (ip_vs_update_conntrack in net/netfilter/ipvs/ip_vs_nfct.c only
// alters what is expected in reply), so what was sent elsewhere counts as well.
func (b *builder) natOf(r netconf.Range) {
	f, networks := r.Family(), b.networks(r)
	var inside []netstate.Side
	for _, n := range networks {
		inside = append(inside, netstate.From(n))
	}
	keep := func(to netstate.Side) {
		for _, from := range inside {
			b.rule(natChain, netstate.Body{Src: from, Dst: to, Verdict: netstate.KeepSource})
		}
	}
	for _, to := range inside {
		for _, from := range inside {
			b.rule(natChain, netstate.Body{Src: from, Dst: to, DNAT: true, Verdict: netstate.Return})
			b.rule(natChain, netstate.Body{Src: from, Dst: to, OrigDst: to.Except(), Verdict: netstate.Return})
		}
	}
	for _, to := range inside {
		keep(to)
	}
	if len(b.except(f)) > 0 {
		keep(netstate.FromSet(setName(exceptSet, f), f == netconf.V6))
	}
	if b.nodes() {
		keep(netstate.FromSet(setName(peersSet, f), f == netconf.V6))
	}
	if b.Options.Masquerade {
		for _, from := range inside {
			b.rule(natChain, netstate.Body{Src: from, Dst: netstate.From(multicast[f]).Except(), Verdict: b.masquerade()})
		}
	}
	if b.Net.Masquerade.Inbound.Or(b.Options.Inbound) {
		b.inbound(inside, f)
	}
}

// inbound masquerades what comes from outside and goes on to another host's
// containers, so that the answer comes back this way. Containers of this host
// see who it was: their answer comes this way in any case. What comes from one
// of the networks and goes into another has kept its source by now.
func (b *builder) inbound(inside []netstate.Side, f netconf.Family) {
	outside := inside[0].Except()
	for _, subnet := range b.Subnets {
		if netconf.FamilyOf(subnet.Addr()) == f {
			b.rule(natChain, netstate.Body{Src: outside, Dst: netstate.From(subnet.Masked()), Verdict: netstate.Return})
		}
	}
	for _, to := range inside {
		b.rule(natChain, netstate.Body{Src: outside, Dst: to, Verdict: b.masquerade()})
	}
}

func (b *builder) masquerade() netstate.Verdict {
	if b.Options.KeepPorts {
		return netstate.Masquerade
	}
	return netstate.MasqueradeRandom
}
