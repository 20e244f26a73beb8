package lease

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/sorted"
)

// Set is leases in the order of their subnets, each subnets once. It cannot be
// out of order, and two versions of it share what did not change.
type Set = sorted.Set[Lease]

// SetOf returns the set of leases, in any order. It takes over the slice.
func SetOf(leases ...Lease) Set { return sorted.Of(leases...) }

// Compare orders leases by their subnets: by the first family's prefix, then by
// the second's.
func (l Lease) Compare(o Lease) int { return CompareSubnets(l.Subnets, o.Subnets) }

// CompareSubnets orders the subnets of leases as Lease.Compare does.
func CompareSubnets(a, b []netip.Prefix) int {
	return slices.CompareFunc(a, b, netip.Prefix.Compare)
}

// At returns a probe for the lease of subnets, for Find, From and the like.
func At(subnets []netip.Prefix) Lease { return Lease{Subnets: subnets} }
