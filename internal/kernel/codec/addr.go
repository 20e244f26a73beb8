package codec

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// Addr is an address of a device.
type Addr struct {
	Prefix netip.Prefix // not masked
	Index  int32        // of its device
	Scope  uint8        // RT_SCOPE_*
	Flags  uint32       // IFA_F_*
}

// AddrHeader packs struct ifaddrmsg of linux/if_addr.h.
func AddrHeader(family, bits, flags, scope uint8, index int32) []byte {
	h := make([]byte, unix.SizeofIfAddrmsg)
	h[0], h[1], h[2], h[3] = family, bits, flags, scope
	native.PutUint32(h[4:], uint32(index))
	return h
}

// DecodeAddr reads RTM_NEWADDR and RTM_DELADDR.
func DecodeAddr(m rtnl.Message) (Addr, bool) {
	head, attrs, ok := m.Header(unix.SizeofIfAddrmsg)
	if !ok {
		return Addr{}, false
	}
	a := Addr{Index: int32(native.Uint32(head[4:])), Scope: head[3], Flags: uint32(head[2])}
	var local, peer netip.Addr
	for attr := range attrs.All() {
		switch attr.Type {
		case unix.IFA_LOCAL:
			local = attr.Addr()
		case unix.IFA_ADDRESS:
			peer = attr.Addr()
		case unix.IFA_FLAGS:
			a.Flags = attr.Uint32()
		}
	}
	if !local.IsValid() {
		local = peer
	}
	a.Prefix = netip.PrefixFrom(local, int(head[1]))
	return a, a.Prefix.IsValid()
}

// ReadAddrs calls yield with the addresses of the device that has an index, or
// with all if index is 0, v4 first.
func ReadAddrs(conn *rtnl.Conn, index int32, yield func(Addr)) error {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		var b rtnl.Batch
		b.Message(unix.RTM_GETADDR, unix.NLM_F_DUMP, AddrHeader(family, 0, 0, 0, index)...)
		for m, err := range conn.Dump(&b) {
			if err != nil {
				return fmt.Errorf("list addresses: %w", err)
			}
			if a, ok := DecodeAddr(m); ok && (index == 0 || a.Index == index) {
				yield(a)
			}
		}
	}
	return nil
}

// EncodeAddr puts the request to add a. Nobody else on the link has it: no
// need to ask around (RFC 4862 has duplicate address detection).
func EncodeAddr(b *rtnl.Batch, how uint16, a Addr) {
	b.Message(unix.RTM_NEWADDR, how, AddrHeader(Family(a.Prefix.Addr()), uint8(a.Prefix.Bits()), unix.IFA_F_NODAD, a.Scope, a.Index)...)
	a.put(b)
}

// EncodeNoAddr puts the request to remove a.
func EncodeNoAddr(b *rtnl.Batch, a Addr) {
	b.Message(unix.RTM_DELADDR, 0, AddrHeader(Family(a.Prefix.Addr()), uint8(a.Prefix.Bits()), 0, 0, a.Index)...)
	a.put(b)
}

func (a Addr) put(b *rtnl.Batch) {
	b.Addr(unix.IFA_LOCAL, a.Prefix.Addr())
	b.Addr(unix.IFA_ADDRESS, a.Prefix.Addr())
}
