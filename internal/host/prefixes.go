package host

import (
	"net/netip"
	"slices"
)

// Sets of addresses are lists of prefixes none of which overlaps another.

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

// subtract takes a set out of another.
func subtract(from, set []netip.Prefix) []netip.Prefix {
	for _, p := range set {
		from = without(from, p)
	}
	return from
}

// union returns the addresses of either set.
func union(a, b []netip.Prefix) []netip.Prefix {
	return append(slices.Clip(a), subtract(b, a)...)
}

// shared returns the addresses of both sets.
func shared(a, b []netip.Prefix) (out []netip.Prefix) {
	for _, p := range a {
		for _, q := range b {
			switch {
			case within(q, p):
				out = append(out, p)
			case within(p, q):
				out = append(out, q)
			}
		}
	}
	return out
}

// within reports whether inner is a part of outer.
func within(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}
