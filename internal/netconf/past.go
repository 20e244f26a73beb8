package netconf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Past is what remains to be known of one range of an earlier config: leases
// in Network of that length were regular ones.
type Past struct {
	Network   netip.Prefix // masked
	SubnetLen int          // bits
}

// Past is r as an earlier config's.
func (r Range) Past() Past { return Past{Network: r.Network, SubnetLen: r.SubnetLen} }

// Family is the address family of p.
func (p Past) Family() Family { return FamilyOf(p.Network.Addr()) }

// Holds reports whether subnet lies in p's network.
func (p Past) Holds(subnet netip.Prefix) bool {
	return p.Network.Bits() <= subnet.Bits() && p.Network.Contains(subnet.Addr())
}

// Regular reports whether subnet is of the kind that p's config gave out.
func (p Past) Regular(subnet netip.Prefix) bool {
	return p.Holds(subnet) && subnet.Bits() == p.SubnetLen
}

// String is the form that ParsePast reads: "172.7.0.0/16-24".
func (p Past) String() string { return p.Network.String() + "-" + strconv.Itoa(p.SubnetLen) }

// FormatPasts joins pasts with commas.
func FormatPasts(pasts []Past) string {
	parts := make([]string, 0, len(pasts))
	for _, p := range pasts {
		parts = append(parts, p.String())
	}
	return strings.Join(parts, ",")
}

// ParsePasts reads what FormatPasts returned.
func ParsePasts(text string) ([]Past, error) {
	var out []Past
	for part := range strings.SplitSeq(text, ",") {
		p, ok := parsePast(part)
		if !ok {
			return nil, fmt.Errorf("%.60q is not a list of previous networks such as 172.7.0.0/16-24", text)
		}
		out = append(out, p)
	}
	return out, nil
}

func parsePast(text string) (Past, bool) {
	network, bits, _ := strings.Cut(text, "-")
	n, err := netip.ParsePrefix(network)
	length, bitsErr := strconv.Atoi(bits)
	ok := err == nil && bitsErr == nil && n == n.Masked() && !n.Addr().Is4In6() && n.Bits() <= length && length < n.Addr().BitLen()
	return Past{Network: n, SubnetLen: length}, ok
}

// SortPasts sorts pasts and leaves each there once.
func SortPasts(pasts []Past) []Past {
	slices.SortFunc(pasts, func(a, b Past) int {
		return cmp.Or(a.Network.Compare(b.Network), cmp.Compare(a.SubnetLen, b.SubnetLen))
	})
	return slices.Compact(pasts)
}
