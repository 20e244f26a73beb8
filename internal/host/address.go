package host

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
)

// match returns the address that re fits, or none if it fits the name.
func (i Interface) match(re *regexp.Regexp) (netip.Addr, bool) {
	if re.MatchString(i.Name) {
		return netip.Addr{}, true
	}
	for _, a := range i.Addrs {
		if re.MatchString(a.Addr().String()) {
			return a.Addr(), true
		}
	}
	return netip.Addr{}, false
}

func (i Interface) has(a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(i.Addrs, func(o Addr) bool { return o.Addr() == a })
}

// announces reports whether i has a and peers can send to it.
func (i Interface) announces(a netip.Addr) bool {
	return slices.ContainsFunc(i.Addrs, func(o Addr) bool { return o.Addr() == a && o.usable() })
}

// usable reports whether peers can send to a, now and later.
func (a Addr) usable() bool {
	ip := a.Addr()
	return !a.Temporary && !a.Deprecated && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsMulticast()
}

// bestAddr returns the address of family f on i that peers should use if
// nothing else decides: global scope before link scope, the first address of a
// prefix before others in it, which are mostly virtual addresses, permanent
// before leased, older before newer.
func bestAddr(i Interface, f netconf.Family) netip.Addr {
	var able []Addr
	for _, a := range i.Addrs {
		if netconf.FamilyOf(a.Addr()) == f && a.usable() {
			able = append(able, a)
		}
	}
	if len(able) == 0 {
		return netip.Addr{}
	}
	if f == netconf.V6 {
		slices.Reverse(able) // the kernel lists the newest IPv6 address first (ipv6_link_dev_addr), and the oldest IPv4 address
	}
	return slices.MinFunc(able, func(a, b Addr) int {
		return cmp.Or(less(a.LinkLocal, b.LinkLocal), less(i.extra(a), i.extra(b)), less(a.Dynamic, b.Dynamic))
	}).Addr()
}

// extra reports whether a stands in the prefix of another address of i.
func (i Interface) extra(a Addr) bool {
	return a.Secondary || a.IsSingleIP() && slices.ContainsFunc(i.Addrs, func(o Addr) bool {
		return !o.IsSingleIP() && o.Contains(a.Addr())
	})
}

// less orders false before true.
func less(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
