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

// bestAddr returns the address of family f that peers should use: the asked
// one if i has it, else global before link-local, lasting before leased.
// Temporary and deprecated addresses never count.
func bestAddr(i Interface, f netconf.Family, asked netip.Addr) netip.Addr {
	var able []Addr
	for _, a := range i.Addrs {
		if netconf.FamilyOf(a.Addr()) != f || a.Temporary || a.Deprecated {
			continue
		}
		if a.Addr() == asked {
			return asked
		}
		able = append(able, a)
	}
	if len(able) == 0 {
		return netip.Addr{}
	}
	return slices.MinFunc(able, func(a, b Addr) int {
		return cmp.Or(less(a.LinkLocal, b.LinkLocal), less(a.Dynamic, b.Dynamic))
	}).Addr()
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

// onLink returns the prefixes connected to i, but for IPv6 link-local.
func onLink(i Interface) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range i.Addrs {
		if p := a.Masked(); !p.IsSingleIP() && !p.Addr().IsLinkLocalUnicast() {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return slices.Compact(out)
}
