package lease

import (
	"net/netip"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/netconf"
)

// Lease is a host's claim on a subnet (one prefix a family), with what the
// host announces about itself.
type Lease struct {
	Subnets []netip.Prefix // masked, one a family at most, v4 first; never empty
	Attrs
	Reserved bool          // stored without a time to live
	TTL      time.Duration // what is left of it when read; 0 if unknown or Reserved
}

// Attrs is what a host announces: the stored value of a lease.
type Attrs struct {
	Public  []netip.Addr // where peers reach the host, one a family at most, v4 first
	Backend string       // flannel's BackendType: "vxlan", "host-gw", ...
	Data    Data         // flannel's BackendData and BackendV6Data
}

// Same reports whether l and o hold the same, but for the time that they have
// left.
func (l Lease) Same(o Lease) bool {
	return slices.Equal(l.Subnets, o.Subnets) && l.Reserved == o.Reserved && l.Attrs.Equal(o.Attrs)
}

// Vacant reports whether l is a reservation whose host has not joined yet: it
// announces no way to be reached.
func (l Lease) Vacant() bool { return l.Reserved && l.Backend == "" && l.Data.Empty() }

// Subnet returns the lease's subnet of family f, if it has one.
func (l Lease) Subnet(f netconf.Family) (netip.Prefix, bool) {
	for _, p := range l.Subnets {
		if netconf.FamilyOf(p.Addr()) == f {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// PublicAddr returns the public address of family f, if announced.
func (a Attrs) PublicAddr(f netconf.Family) (netip.Addr, bool) {
	for _, p := range a.Public {
		if netconf.FamilyOf(p) == f {
			return p, true
		}
	}
	return netip.Addr{}, false
}
