package netconf

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
)

// uint128 is an address of either family as a number, so that both count the
// same way.
type uint128 struct{ hi, lo uint64 }

func number(a netip.Addr) uint128 {
	if a.Is4() {
		b := a.As4()
		return uint128{lo: uint64(binary.BigEndian.Uint32(b[:]))}
	}
	b := a.As16()
	return uint128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// addr is number's inverse; bits above f's are dropped.
func (u uint128) addr(f Family) netip.Addr {
	if f == V4 {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(u.lo))))
	}
	b := binary.BigEndian.AppendUint64(nil, u.hi)
	return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(b, u.lo)))
}

func (u uint128) add(v uint128) uint128 {
	lo, carry := bits.Add64(u.lo, v.lo, 0)
	hi, _ := bits.Add64(u.hi, v.hi, carry)
	return uint128{hi, lo}
}

func (u uint128) sub(v uint128) uint128 {
	lo, borrow := bits.Sub64(u.lo, v.lo, 0)
	hi, _ := bits.Sub64(u.hi, v.hi, borrow)
	return uint128{hi, lo}
}

// shl and shr shift by n bits, 0..128. A Go shift by 64 or more gives 0.
func (u uint128) shl(n int) uint128 {
	if n >= 64 {
		return uint128{hi: u.lo << (n - 64)}
	}
	return uint128{u.hi<<n | u.lo>>(64-n), u.lo << n}
}

func (u uint128) shr(n int) uint128 {
	if n >= 64 {
		return uint128{lo: u.hi >> (n - 64)}
	}
	return uint128{u.hi >> n, u.lo>>n | u.hi<<(64-n)}
}

// clamp returns u, or the largest uint64 if u is larger.
func (u uint128) clamp() uint64 {
	if u.hi != 0 {
		return math.MaxUint64
	}
	return u.lo
}
