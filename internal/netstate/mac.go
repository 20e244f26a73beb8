package netstate

import (
	"cmp"
	"fmt"
	"net"
)

// MAC is an Ethernet address as a comparable value.
type MAC [6]byte

// ParseMAC reads "0a:4f:76:eb:12:f5" and the other forms of net.ParseMAC; only
// 48-bit addresses are accepted.
func ParseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	if err != nil || len(hw) != len(MAC{}) {
		return MAC{}, fmt.Errorf("%q is not an Ethernet address", s)
	}
	return MAC(hw), nil
}

// String renders the address in lower case with colons.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// IsUnicast reports whether m can belong to one device: neither a group
// address nor all zeros.
func (m MAC) IsUnicast() bool { return m[0]&1 == 0 && m != MAC{} }

func (m MAC) Compare(o MAC) int { return cmp.Compare(m.Number(), o.Number()) }

// Number returns the address as a number of 48 bits. Tables are in its order.
func (m MAC) Number() uint64 {
	return uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
}
