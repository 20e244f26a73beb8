package intent

import (
	"cmp"
	"strings"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/sorted"
)

// census knows what is asked about all leases, so that the answer does not
// take a walk over all of them.
type census struct {
	ranges    []netconf.Previous // of the network in force
	assigned  bool               // the ranges' subnet lengths mean nothing
	tunnels   sorted.Set[tunnelCount]
	irregular lease.Set // leases with a subnet that the ranges do not give out
	vacant    int       // reservations that no host holds
}

// tunnelCount is how many leases announce a tunnel.
type tunnelCount struct {
	tunnel plan.Tunnel
	n      int
}

// Compare orders by tunnel.
func (c tunnelCount) Compare(o tunnelCount) int {
	return cmp.Or(strings.Compare(c.tunnel.Backend, o.tunnel.Backend), cmp.Compare(c.tunnel.VNI, o.tunnel.VNI))
}

// censusOf counts all leases under the network with these ranges.
func censusOf(all lease.Set, ranges []netconf.Previous, assigned bool) census {
	c := census{ranges: ranges, assigned: assigned}
	counts := map[plan.Tunnel]int{}
	var irregular []lease.Lease
	for l := range all.All() {
		for _, t := range plan.TunnelsOf(l.Attrs) {
			counts[t]++
		}
		if c.isIrregular(l) {
			irregular = append(irregular, l)
		}
		if l.Vacant() {
			c.vacant++
		}
	}
	for t, n := range counts {
		c.tunnels = c.tunnels.With(tunnelCount{t, n})
	}
	c.irregular = lease.SetOf(irregular...)
	return c
}

func (c census) with(l lease.Lease) census {
	if c.isIrregular(l) {
		c.irregular = c.irregular.With(l)
	}
	return c.count(l, 1)
}

func (c census) without(l lease.Lease) census {
	c.irregular = c.irregular.Without(l)
	return c.count(l, -1)
}

func (c census) count(l lease.Lease, by int) census {
	if l.Vacant() {
		c.vacant += by
	}
	for _, t := range plan.TunnelsOf(l.Attrs) {
		had, _ := c.tunnels.Find(tunnelCount{tunnel: t})
		if n := had.n + by; n > 0 {
			c.tunnels = c.tunnels.With(tunnelCount{t, n})
		} else {
			c.tunnels = c.tunnels.Without(tunnelCount{tunnel: t})
		}
	}
	return c
}

// announces reports whether any lease announces a tunnel.
func (c census) announces(t plan.Tunnel) bool { return c.tunnels.Has(tunnelCount{tunnel: t}) }

func (c census) isIrregular(l lease.Lease) bool {
	for _, p := range l.Subnets {
		regular := false
		for _, r := range c.ranges {
			regular = regular || r.Regular(p) || c.assigned && r.Holds(p)
		}
		if !regular {
			return true
		}
	}
	return false
}
