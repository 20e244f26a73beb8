package host

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
)

// Unreached is a part of the addresses to which packets of a tunnel do not
// leave by the uplink.
type Unreached struct {
	Dst  netip.Prefix
	Rule PolicyRule // whose table leads elsewhere or nowhere, or which refuses packets; zero: no route leads there
}

// unreached returns what packets of a tunnel from src do not reach. A tunnel's
// device asks for the uplink. For IPv4 the kernel then passes over routes through other
// devices, and takes what it has no route for to be on-link
// (ip_route_output_key_hash_rcu in net/ipv4/route.c); for IPv6 it goes by them.
func (t *Routing) unreached(i Interface, src netip.Addr) (out []Unreached) {
	if t.Partial {
		return nil
	}
	f := underlay(i, src)
	asked := func(s share) share {
		if f.family == netconf.V4 {
			s.routes = slices.DeleteFunc(slices.Clone(s.routes), func(r Route) bool { return r.Dev != "" && r.Dev != i.Name })
		}
		return s
	}
	left := every(f.family)
	for s := range t.lookup(f, left, func(s share) []netip.Prefix { return settled(asked(s)) }) {
		s = asked(s)
		if !s.all {
			continue
		}
		decided := settled(s)
		left = subtract(left, decided)
		reached := paint(s.routes, func(r Route) bool { return r.Dev == i.Name })
		for _, p := range subtract(decided, reached) {
			out = append(out, Unreached{p, s.rule})
		}
	}
	for _, p := range left {
		out = append(out, Unreached{Dst: p})
	}
	return out
}

const udp = 17 // IPPROTO_UDP of linux/in.h

// underlay is the packets of a tunnel: from src, by i.
func underlay(i Interface, src netip.Addr) flow {
	f := flow{family: netconf.FamilyOf(src), src: netip.PrefixFrom(src, src.BitLen()), in: "lo", out: []string{i.Name}, proto: udp}
	if i.VRF != "" {
		f.out, f.vrf = append(f.out, i.VRF), i.Table
	}
	return f
}
