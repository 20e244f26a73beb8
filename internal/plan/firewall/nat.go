package firewall

import (
	"net/netip"

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
		b.natOf(r.Network, r.Family())
	}
}

func (b *builder) natOf(network netip.Prefix, f netconf.Family) {
	inside := netstate.From(network)
	keep := func(to netstate.Side) {
		b.rule(natChain, netstate.Body{Src: inside, Dst: to, Verdict: netstate.KeepSource})
	}
	keep(inside)
	if len(b.except(f)) > 0 {
		keep(netstate.FromSet(setName(exceptSet, f), f == netconf.V6))
	}
	if b.nodes() {
		keep(netstate.FromSet(setName(peersSet, f), f == netconf.V6))
	}
	if b.Options.Masquerade {
		b.rule(natChain, netstate.Body{Src: inside, Dst: netstate.From(multicast[f]).Except(), Verdict: b.masquerade()})
	}
	if b.Net.Masquerade.Inbound.Or(b.Options.Inbound) {
		b.inbound(inside, f)
	}
}

// inbound masquerades what comes from outside and goes on to another host's
// containers, so that the answer comes back this way. Containers of this host
// see who it was: their answer comes this way in any case.
func (b *builder) inbound(inside netstate.Side, f netconf.Family) {
	for _, subnet := range b.Subnets {
		if netconf.FamilyOf(subnet.Addr()) == f {
			b.rule(natChain, netstate.Body{Src: inside.Except(), Dst: netstate.From(subnet.Masked()), Verdict: netstate.Return})
		}
	}
	b.rule(natChain, netstate.Body{Src: inside.Except(), Dst: inside, Verdict: b.masquerade()})
}

func (b *builder) masquerade() netstate.Verdict {
	if b.Options.KeepPorts {
		return netstate.Masquerade
	}
	return netstate.MasqueradeRandom
}
