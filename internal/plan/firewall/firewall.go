// Package firewall says which rules a host needs: packets within the network
// keep their addresses, packets that leave it are masqueraded as asked for,
// tunnelled packets are taken from the network's hosts alone, and nobody
// else's rules stop any of them. It is pure.
package firewall

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// Options is what an operator said on the host.
type Options struct {
	Masquerade bool           // packets that leave the network take the host's address (--ip-masq)
	KeepPorts  bool           // without drawing source ports at random
	Inbound    bool           // show containers the host in a client's place, unless the config says otherwise
	Except     []netip.Prefix // destinations that are not masqueraded, beside the config's; masked
	Nodes      bool           // nor are the network's hosts
	Table      string         // name of our nftables table; "": after the network
	Blackhole  bool           // packets for addresses of this host's subnet that no container has are dropped (--ip-blackhole-route)
	Accept     bool           // rules of ours may stand in other people's chains (--iptables-forward-rules)
}

// Tunnel is an end of a network on this host that other packets carry.
type Tunnel struct {
	Family netconf.Family // of the underlay
	Port   uint16         // UDP
	Proto  uint8          // of the outer IP header, if that is not UDP
	VNI    uint32

	Encrypted bool // who sent a packet is proven by its encryption, so the guard has nothing to do
}

// Plan is all that the rules depend on.
type Plan struct {
	Net      netconf.Network
	Previous []netconf.Previous // of earlier configs: their packets are treated like the network's
	Host     host.Facts
	Options  Options
	Subnets  []netip.Prefix // this host's
	Tunnels  []Tunnel
	Peers    []netip.Addr // public addresses, in any order
}

// The names of what is in our table.
const (
	guardChain  = "guard"
	refusedName = "refused"
	natChain    = "postrouting"
	peersSet    = "peers"  // and the family's number
	exceptSet   = "except" // likewise
	filterFirst = -10      // ahead of everybody's filter chains
	srcnatFirst = 99       // ahead of everybody's source NAT, which is at 100
)

// TableName returns the name of the nftables table: the one an operator gave,
// else the VNI's, so that agents for two networks on one host do not share one.
func TableName(net netconf.Network, o Options) string {
	return cmp.Or(o.Table, owned.TableName(net.Backend.VXLAN.VNI))
}

// Problem is what stands in the way of packets that no rule of weft's can help
// against.
type Problem struct {
	Err  error
	Note bool // it may well not do so
}

// Build adds the firewall's rows to s, and returns the problems.
func (p *Plan) Build(s *netstate.Builder) []Problem {
	if why := p.Host.NoFirewall; why != "" {
		return []Problem{{Err: noFirewall(why)}}
	}
	b := builder{Plan: p, fw: &s.Firewall, table: TableName(p.Net, p.Options)}
	b.fw.Tables = append(b.fw.Tables, netstate.NFTable{Name: b.table})
	b.members()
	if b.guarded() {
		b.guard()
	}
	if b.Net.Strict() {
		b.refused()
	}
	b.nat()
	return b.accept()
}

// builder writes rows.
type builder struct {
	*Plan
	fw    *netstate.FirewallBuilder
	table string
	next  int // the next rule's place in its chain
}

func (b *builder) chain(c netstate.Chain) {
	c.Table = b.table
	b.fw.Chains = append(b.fw.Chains, c)
	b.next = 0
}

func (b *builder) rule(chain string, body netstate.Body) {
	b.fw.Rules = append(b.fw.Rules, netstate.Rule{Table: b.table, Chain: chain, Index: b.next, Body: body})
	b.next++
}

func (b *builder) guarded() bool {
	return b.Net.Guard && slices.ContainsFunc(b.Tunnels, func(t Tunnel) bool { return !t.Encrypted })
}

// guard lets tunnelled packets in from peers alone: without encryption there is no
// other proof of who sent one.
func (b *builder) guard() {
	b.chain(netstate.Chain{Name: guardChain, Type: "filter", Hook: "input", Priority: filterFirst})
	for _, t := range b.Tunnels {
		if t.Encrypted {
			continue
		}
		b.rule(guardChain, netstate.Body{
			Src:     netstate.FromSet(setName(peersSet, t.Family), t.Family == netconf.V6).Except(),
			UDPPort: t.Port, Proto: t.Proto, VNI: t.VNI, Counter: true, Verdict: netstate.Drop,
		})
	}
}

// refused counts packets that the routes of a Strict network refuse: those from
// containers for addresses of the network to which no encrypted path leads. It stops
// none itself. What this host would send is refused before it is a packet, and those for
// its own subnets are no other host's.
func (b *builder) refused() {
	b.chain(netstate.Chain{Name: refusedName, Type: "filter", Hook: "prerouting", Priority: filterFirst})
	for _, subnet := range b.Subnets {
		b.rule(refusedName, netstate.Body{Dst: netstate.From(subnet.Masked()), Verdict: netstate.Accept})
	}
	for _, r := range b.Net.Ranges {
		for _, n := range b.networks(r) {
			b.rule(refusedName, netstate.Body{Dst: netstate.From(n), Unrouted: true, Counter: true, Verdict: netstate.Accept})
		}
	}
}

func setName(name string, f netconf.Family) string { return name + strconv.Itoa(int(f)) }
