package intent

import (
	"cmp"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/plan/vxlan"
	"github.com/weft-net/weft/internal/sorted"
)

// census knows what is asked about all leases, so that the answer does not
// take a walk over all of them.
type census struct {
	ranges    []netconf.Previous // of the network in force
	assigned  bool               // the ranges' subnet lengths mean nothing
	vnis      sorted.Set[vniCount]
	irregular lease.Set // leases with a subnet that the ranges do not give out
	vacant    int       // reservations that no host holds
}

// vniCount is how many leases announce a tunnel with a VNI.
type vniCount struct {
	vni uint32
	n   int
}

// Compare orders by VNI.
func (c vniCount) Compare(o vniCount) int { return cmp.Compare(c.vni, o.vni) }

// censusOf counts all leases under the network with these ranges.
func censusOf(all lease.Set, ranges []netconf.Previous, assigned bool) census {
	c := census{ranges: ranges, assigned: assigned}
	counts := map[uint32]int{}
	var irregular []lease.Lease
	for l := range all.All() {
		for _, vni := range vnisOf(l) {
			counts[vni]++
		}
		if c.isIrregular(l) {
			irregular = append(irregular, l)
		}
		if l.Vacant() {
			c.vacant++
		}
	}
	for vni, n := range counts {
		c.vnis = c.vnis.With(vniCount{vni, n})
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
	for _, vni := range vnisOf(l) {
		had, _ := c.vnis.Find(vniCount{vni: vni})
		if n := had.n + by; n > 0 {
			c.vnis = c.vnis.With(vniCount{vni, n})
		} else {
			c.vnis = c.vnis.Without(vniCount{vni: vni})
		}
	}
	return c
}

// announces reports whether any lease announces a tunnel with vni.
func (c census) announces(vni uint32) bool { return c.vnis.Has(vniCount{vni: vni}) }

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

// vnisOf returns the VNIs of the tunnels that l announces, each once.
func vnisOf(l lease.Lease) []uint32 {
	if l.Backend != plan.VXLAN {
		return nil
	}
	var out []uint32
	for _, f := range netconf.Families {
		d, err := vxlan.ParseData(l.Data.Of(f))
		if err == nil && (len(out) == 0 || out[0] != d.VNI) {
			out = append(out, d.VNI)
		}
	}
	return out
}
