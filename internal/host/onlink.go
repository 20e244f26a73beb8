package host

import (
	"cmp"
	"net/netip"
	"slices"
)

// onLink returns the destinations that routes lead to through dev without a
// gateway, less what more specific or better routes lead to otherwise. A default
// route tells nothing about where hosts are.
func onLink(dev string, routes []Route) []netip.Prefix {
	var out []netip.Prefix
	for _, r := range byPrecedence(dev, routes) {
		if r.direct(dev) {
			out = with(out, r.Dst)
		} else {
			out = without(out, r.Dst)
		}
	}
	slices.SortFunc(out, comparePrefixes)
	return out
}

// byPrecedence sorts routes such that each goes before those that come earlier.
// Where two interfaces are on one link, both reach it.
func byPrecedence(dev string, routes []Route) []Route {
	direct := map[netip.Prefix]bool{}
	for _, r := range routes {
		if r.direct(dev) {
			direct[r.Dst] = true
		}
	}
	var out []Route
	for _, r := range routes {
		twin := r.Dev != "" && r.Dev != dev && !r.Gateway.IsValid() && direct[r.Dst]
		if r.Dst.Bits() > 0 && !twin {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Dst.Bits(), b.Dst.Bits()), cmp.Compare(b.Metric, a.Metric), less(!a.direct(dev), !b.direct(dev)))
	})
	return out
}

func (r Route) direct(dev string) bool { return r.Dev == dev && !r.Gateway.IsValid() }

// with adds p to prefixes none of which overlaps another and none of which is
// longer than p.
func with(prefixes []netip.Prefix, p netip.Prefix) []netip.Prefix {
	if slices.ContainsFunc(prefixes, p.Overlaps) {
		return prefixes
	}
	return append(prefixes, p)
}

// without takes p out of prefixes.
func without(prefixes []netip.Prefix, p netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, whole := range prefixes {
		switch {
		case !whole.Overlaps(p):
			out = append(out, whole)
		case whole.Bits() < p.Bits():
			out = append(out, rest(whole, p)...)
		}
	}
	return out
}

// rest returns the prefixes that make up whole together with hole, which lies
// inside of it.
func rest(whole, hole netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for bits := whole.Bits() + 1; bits <= hole.Bits(); bits++ {
		out = append(out, netip.PrefixFrom(flip(hole.Addr(), bits-1), bits).Masked())
	}
	return out
}

// flip inverts the bit of a at an index, 0 for the highest.
func flip(a netip.Addr, index int) netip.Addr {
	raw := a.AsSlice()
	raw[index/8] ^= 0x80 >> (index % 8)
	out, _ := netip.AddrFromSlice(raw)
	return out
}

// connected returns the prefixes that addresses of i are in: their own, and
// those to which a route leads without a gateway.
func connected(i Interface, routes []Route) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range i.Addrs {
		if a.Addr().IsLinkLocalUnicast() {
			continue
		}
		if p := a.Masked(); !p.IsSingleIP() {
			out = append(out, p)
		}
		for _, r := range routes {
			if r.direct(i.Name) && r.Dst.Bits() > 0 && !r.Dst.IsSingleIP() && r.Dst.Contains(a.Addr()) {
				out = append(out, r.Dst)
			}
		}
	}
	slices.SortFunc(out, comparePrefixes)
	return slices.Compact(out)
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}
