package netconf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Previous is what remains to be known of one range of an earlier config: leases
// in Network of that length were regular ones.
type Previous struct {
	Network   netip.Prefix // masked
	SubnetLen int          // bits
}

// Previous is r as an earlier config's.
func (r Range) Previous() Previous { return Previous{Network: r.Network, SubnetLen: r.SubnetLen} }

// Family is the address family of p.
func (p Previous) Family() Family { return FamilyOf(p.Network.Addr()) }

// Holds reports whether subnet lies in p's network.
func (p Previous) Holds(subnet netip.Prefix) bool {
	return p.Network.Bits() <= subnet.Bits() && p.Network.Contains(subnet.Addr())
}

// Regular reports whether subnet is of the kind that p's config gave out.
func (p Previous) Regular(subnet netip.Prefix) bool {
	return p.Holds(subnet) && subnet.Bits() == p.SubnetLen
}

// String is the form that ParsePast reads: "172.7.0.0/16-24".
func (p Previous) String() string { return p.Network.String() + "-" + strconv.Itoa(p.SubnetLen) }

// FormatPrevious joins pasts with commas.
func FormatPrevious(pasts []Previous) string {
	parts := make([]string, 0, len(pasts))
	for _, p := range pasts {
		parts = append(parts, p.String())
	}
	return strings.Join(parts, ",")
}

// ParsePrevious reads what FormatPrevious returned.
func ParsePrevious(text string) ([]Previous, error) {
	var out []Previous
	for part := range strings.SplitSeq(text, ",") {
		p, ok := parsePast(part)
		if !ok {
			return nil, fmt.Errorf("%.60q is not a list of previous networks such as 172.7.0.0/16-24", text)
		}
		out = append(out, p)
	}
	return out, nil
}

func parsePast(text string) (Previous, bool) {
	network, bits, _ := strings.Cut(text, "-")
	n, err := netip.ParsePrefix(network)
	length, bitsErr := strconv.Atoi(bits)
	ok := err == nil && bitsErr == nil && n == n.Masked() && !n.Addr().Is4In6() && n.Bits() <= length && length < n.Addr().BitLen()
	return Previous{Network: n, SubnetLen: length}, ok
}

// SortPrevious sorts pasts and leaves each there once.
func SortPrevious(pasts []Previous) []Previous {
	slices.SortFunc(pasts, func(a, b Previous) int {
		return cmp.Or(a.Network.Compare(b.Network), cmp.Compare(a.SubnetLen, b.SubnetLen))
	})
	return slices.Compact(pasts)
}
