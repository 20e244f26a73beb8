package netconf

import (
	"fmt"
	"math"
	"net/netip"
)

// Family is the address family of r.
func (r Range) Family() Family { return FamilyOf(r.Network.Addr()) }

// Fits returns nil if p is one of the subnets that r gives out, and otherwise
// an error that says what is wrong with it.
func (r Range) Fits(p netip.Prefix) error {
	f := r.Family()
	switch {
	case !p.IsValid():
		return fmt.Errorf("not a valid %s subnet", f)
	case p.Addr().Is4() != (f == V4):
		return fmt.Errorf("subnet %s is not of family %s like the network %s", p, f, r.Network)
	case r.SubnetLen == 0 && p.Bits() < r.Network.Bits():
		return fmt.Errorf("subnet %s is wider than the network %s", p, r.Network)
	case r.SubnetLen != 0 && p.Bits() != r.SubnetLen:
		return fmt.Errorf("subnet %s has length %d, the network %s gives out subnets of length %d", p, p.Bits(), r.Network, r.SubnetLen)
	case p != p.Masked():
		return fmt.Errorf("subnet %s has host bits set: %s would be a subnet", p, p.Masked())
	case !r.Network.Contains(p.Addr()):
		return fmt.Errorf("subnet %s lies outside the network %s", p, r.Network)
	case r.SubnetLen == 0:
		return nil
	case p.Addr().Less(r.Min):
		return fmt.Errorf("subnet %s lies below the first subnet given out, %s", p, r.Subnet(r.Min))
	case r.Max.Less(p.Addr()):
		return fmt.Errorf("subnet %s lies above the last subnet given out, %s", p, r.Subnet(r.Max))
	}
	return nil
}

// Count is the number of subnets from Min to Max; math.MaxUint64 if there are
// more. At and Cover know no subnet beyond those.
func (r Range) Count() uint64 {
	n := r.offset(r.Max).clamp()
	if n == math.MaxUint64 {
		return n
	}
	return n + 1
}

// At returns the subnet of index i, 0..Count()-1, counted from Min; the zero
// Prefix beyond that.
func (r Range) At(i uint64) netip.Prefix {
	if i >= r.Count() {
		return netip.Prefix{}
	}
	a := number(r.Min).add(uint128{lo: i}.shl(r.shift()))
	return netip.PrefixFrom(a.addr(r.Family()), r.SubnetLen)
}

// Subnet returns the prefix of r's subnet length that holds a, given out or
// not; the zero Prefix if a is of the other family.
func (r Range) Subnet(a netip.Addr) netip.Prefix {
	if a.Is4() != r.Network.Addr().Is4() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a.WithZone(""), r.SubnetLen).Masked()
}

// Cover returns the indexes of the first and the last subnet (see At) that
// overlap p; ok is false if none does.
func (r Range) Cover(p netip.Prefix) (first, last uint64, ok bool) {
	if !p.IsValid() || p.Addr().Is4() != r.Network.Addr().Is4() {
		return 0, 0, false
	}
	low, high := r.Subnet(p.Masked().Addr()).Addr(), r.Subnet(lastAddr(p)).Addr()
	if high.Less(r.Min) || r.Max.Less(low) {
		return 0, 0, false
	}
	if low.Less(r.Min) {
		low = r.Min
	}
	if r.Max.Less(high) {
		high = r.Max
	}
	first, last = r.offset(low).clamp(), r.offset(high).clamp()
	end := r.Count() - 1
	return first, min(last, end), first <= end
}

// offset is the number of subnets from Min to the one that starts at a.
func (r Range) offset(a netip.Addr) uint128 {
	return number(a).sub(number(r.Min)).shr(r.shift())
}

// shift is the number of host bits of a subnet.
func (r Range) shift() int { return r.Family().Bits() - r.SubnetLen }

func lastAddr(p netip.Prefix) netip.Addr {
	f := FamilyOf(p.Addr())
	size := uint128{lo: 1}.shl(f.Bits() - p.Bits()) // of ::/0: 2^128, which is 0 here
	return number(p.Masked().Addr()).add(size).sub(uint128{lo: 1}).addr(f)
}
