package lease

import (
	"net/netip"
	"strconv"
	"strings"
)

// Key returns the name of a lease in the store: "10.5.34.0-24",
// "10.5.34.0-24&fc00:5:0:1b::-64", or "0.0.0.0-0&fc00:5:0:1b::-64" for IPv6 alone.
func Key(subnets []netip.Prefix) string {
	parts := make([]string, 0, 2)
	for _, p := range subnets {
		if p.Addr().Is6() && len(parts) == 0 {
			parts = append(parts, "0.0.0.0-0")
		}
		parts = append(parts, p.Addr().String()+"-"+strconv.Itoa(p.Bits()))
	}
	return strings.Join(parts, "&")
}

// FormatSubnets returns the subnets as people read them: "10.5.34.0/24, fc00:5:0:1b::/64".
func FormatSubnets(subnets []netip.Prefix) string {
	parts := make([]string, 0, len(subnets))
	for _, p := range subnets {
		parts = append(parts, p.String())
	}
	return strings.Join(parts, ", ")
}
