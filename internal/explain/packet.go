package explain

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/host"
)

// packet is the first packet of a connection, without a mark.
type packet struct {
	src, dst netip.Addr
	proto    uint8
	port     uint16 // destination port; 0: not known
	in, out  string // devices; "": this host sends it, or takes it
	local    bool   // dst is this host's own address
}

const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoIPIP   = 4
	protoICMPv6 = 58
)

func icmp(a netip.Addr) uint8 {
	if a.Is6() {
		return protoICMPv6
	}
	return protoICMP
}

// family names the packet's family as nft(8) does.
func (p packet) family() string {
	if p.dst.Is6() {
		return "ip6"
	}
	return "ip"
}

// answer is how sure something is.
type answer uint8

const (
	no answer = iota
	maybe
	yes
)

func sure(is bool) answer {
	if is {
		return yes
	}
	return no
}

// fits returns whether a match is true of the packet.
func (p packet) fits(m host.Match) answer {
	all := []answer{
		sure(!m.Never && !m.Unrouted && (m.Family == "" || m.Family == p.family())),
		has(m.Src, p.src), has(m.Dst, p.dst),
		sure(m.Protos == nil || slices.Contains(m.Protos, p.proto)), p.fitsPort(m.Ports),
		sure(m.States == 0 || m.States&host.New != 0),
		named(m.In, p.in), named(m.Out, p.out),
		sure(!m.Local || p.local), answer(yes),
	}
	if m.Opaque {
		all = append(all, maybe)
	}
	return slices.Min(all)
}

func has(a host.Addrs, addr netip.Addr) answer {
	holds := func(p netip.Prefix) bool { return p.Contains(addr) }
	return sure((a.In == nil || slices.ContainsFunc(a.In, holds)) && !slices.ContainsFunc(a.Not, holds))
}

func (p packet) fitsPort(ports []host.PortRange) answer {
	switch {
	case ports == nil:
		return yes
	case p.proto != protoTCP && p.proto != protoUDP:
		return no
	case p.port == 0:
		return maybe
	}
	return sure(slices.ContainsFunc(ports, func(r host.PortRange) bool { return r.First <= p.port && p.port <= r.Last }))
}

func named(patterns []string, name string) answer {
	return sure(patterns == nil || slices.ContainsFunc(patterns, func(p string) bool { return host.Named(p, name) }))
}
