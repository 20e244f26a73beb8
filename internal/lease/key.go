package lease

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/weft-net/weft/internal/netconf"
)

// noV4 stands in a key for the IPv4 subnet of a host that has only IPv6.
const noV4 = "0.0.0.0-0"

// Key returns the name of a lease in the store: "10.5.34.0-24",
// "10.5.34.0-24&fc00:5:0:1b::-64", or "0.0.0.0-0&fc00:5:0:1b::-64" for IPv6
// alone. The subnets are a lease's: masked, one a family at most, v4 first.
func Key(subnets []netip.Prefix) string {
	parts := make([]string, 0, 2)
	for _, p := range subnets {
		if p.Addr().Is6() && len(parts) == 0 {
			parts = append(parts, noV4)
		}
		parts = append(parts, p.Addr().String()+"-"+strconv.Itoa(p.Bits()))
	}
	return strings.Join(parts, "&")
}

// KeyError says that a name in the store is not a lease's.
type KeyError struct {
	Key string
	Err error
}

func (e *KeyError) Error() string { return fmt.Sprintf("lease key %q: %v", e.Key, e.Err) }

// Unwrap returns Err.
func (e *KeyError) Unwrap() error { return e.Err }

// ParseKey returns the subnets that a lease's name in the store stands for,
// v4 first: the inverse of Key. It takes what flannel takes as a key (IPv4
// lengths up to 31, IPv6 up to 127) in the one spelling that Key writes; host
// bits, other spellings and a /0 are errors.
func ParseKey(key string) ([]netip.Prefix, error) {
	v4, v6, dual := strings.Cut(key, "&")
	var subnets []netip.Prefix
	if !dual || v4 != noV4 {
		p, err := parseKeyPart(v4, netconf.V4)
		if err != nil {
			return nil, &KeyError{key, err}
		}
		subnets = append(subnets, p)
	}
	if dual {
		p, err := parseKeyPart(v6, netconf.V6)
		if err != nil {
			return nil, &KeyError{key, err}
		}
		subnets = append(subnets, p)
	}
	return subnets, nil
}

func parseKeyPart(s string, f netconf.Family) (netip.Prefix, error) {
	addr, bits, ok := strings.Cut(s, "-")
	if !ok {
		return netip.Prefix{}, fmt.Errorf("%q is not of the form %s", s, keyForm(f))
	}
	p, err := netip.ParsePrefix(addr + "/" + bits)
	if err != nil || !hasFamily(p.Addr(), f) || p.Addr().String() != addr {
		return netip.Prefix{}, fmt.Errorf("%q is not an %s subnet in the form %s", s, f, keyForm(f))
	}
	if p.Bits() < 1 || p.Bits() >= f.Bits() {
		return netip.Prefix{}, fmt.Errorf("%q: the length must be from 1 to %d", s, f.Bits()-1)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has host bits set: the subnet is %s", s, p.Masked())
	}
	return p, nil
}

func keyForm(f netconf.Family) string {
	if f == netconf.V4 {
		return "10.5.34.0-24"
	}
	return "fc00:5:0:1b::-64"
}

// hasFamily tells whether a is a plain address of family f: no zone, and not
// an IPv4 address in IPv6 clothes (::ffff:10.0.0.1).
func hasFamily(a netip.Addr, f netconf.Family) bool {
	return a.IsValid() && a.Zone() == "" && !a.Is4In6() && netconf.FamilyOf(a) == f
}

// FormatSubnets returns the subnets as people read them: "10.5.34.0/24, fc00:5:0:1b::/64".
func FormatSubnets(subnets []netip.Prefix) string {
	parts := make([]string, 0, len(subnets))
	for _, p := range subnets {
		parts = append(parts, p.String())
	}
	return strings.Join(parts, ", ")
}
