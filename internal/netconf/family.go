package netconf

import "net/netip"

// Family is an address family. Code that handles addresses loops over
// families instead of having a v4 and a v6 twin.
type Family uint8

// The two address families.
const (
	V4 Family = 4
	V6 Family = 6
)

// Families lists both, in their order in keys and files.
var Families = []Family{V4, V6}

// FamilyOf returns the family of a. A v4-mapped v6 address counts as v4.
func FamilyOf(a netip.Addr) Family {
	if a.Unmap().Is4() {
		return V4
	}
	return V6
}

// Bits is the length of an address in bits: 32 or 128.
func (f Family) Bits() int {
	if f == V4 {
		return 32
	}
	return 128
}

// String returns "ipv4" or "ipv6".
func (f Family) String() string {
	if f == V4 {
		return "ipv4"
	}
	return "ipv6"
}

// Conf names the kernel parameter of a device of family f below /proc/sys:
// "net/ipv4/conf/eth0/rp_filter". The devices "all" and "default" stand for
// every device, and for those made later.
func (f Family) Conf(dev, key string) string {
	return "net/" + f.String() + "/conf/" + dev + "/" + key
}

// Of returns whether an address is of family f, for the slices package.
func Of(f Family) func(netip.Addr) bool {
	return func(a netip.Addr) bool { return FamilyOf(a) == f }
}
