package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

var native = binary.NativeEndian

// address is an address as the kernel describes it.
type address struct {
	prefix netip.Prefix // not masked
	index  int32        // of its device
	scope  uint8        // RT_SCOPE_*
	flags  uint32       // IFA_F_*
}

// addressHeader packs struct ifaddrmsg of linux/if_addr.h.
func addressHeader(family, bits, flags uint8, index int32) []byte {
	h := make([]byte, unix.SizeofIfAddrmsg)
	h[0], h[1], h[2] = family, bits, flags
	native.PutUint32(h[4:], uint32(index))
	return h
}

// decodeAddress reads RTM_NEWADDR and RTM_DELADDR.
func decodeAddress(m rtnl.Message) (address, bool) {
	head, attrs, ok := m.Header(unix.SizeofIfAddrmsg)
	if !ok {
		return address{}, false
	}
	a := address{index: int32(native.Uint32(head[4:])), scope: head[3], flags: uint32(head[2])}
	var local, peer netip.Addr
	for attr := range attrs.All() {
		switch attr.Type {
		case unix.IFA_LOCAL:
			local = attr.Addr()
		case unix.IFA_ADDRESS:
			peer = attr.Addr()
		case unix.IFA_FLAGS:
			a.flags = attr.Uint32()
		}
	}
	if !local.IsValid() {
		local = peer
	}
	a.prefix = netip.PrefixFrom(local, int(head[1]))
	return a, a.prefix.IsValid()
}

// isRow reports whether the address is one that weft would manage on its own
// devices.
func (a address) isRow() bool { return a.scope == unix.RT_SCOPE_UNIVERSE }

// dumpAddresses returns the addresses of the device with an index, or of all
// if index is 0, v4 first.
func dumpAddresses(conn *rtnl.Conn, index int32) ([]address, error) {
	var all []address
	for _, f := range netconf.Families {
		var b rtnl.Batch
		b.Message(unix.RTM_GETADDR, unix.NLM_F_DUMP, addressHeader(afOf(f), 0, 0, index)...)
		for m, err := range conn.Dump(&b) {
			if err != nil {
				return nil, fmt.Errorf("list %s addresses: %w", f, err)
			}
			// A kernel without strict checking lists every device's.
			if a, ok := decodeAddress(m); ok && (index == 0 || a.index == index) {
				all = append(all, a)
			}
		}
	}
	return all, nil
}

// encodeAddr puts the request to add or remove r.
func encodeAddr(b *rtnl.Batch, r netstate.Addr, index int32, remove bool) {
	typ, flags := uint16(unix.RTM_NEWADDR), uint16(unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	if remove {
		typ, flags = unix.RTM_DELADDR, 0
	}
	a := r.Prefix.Addr()
	// Nobody else has the address of a tunnel's end: no need to ask around.
	b.Message(typ, flags, addressHeader(afOf(netconf.FamilyOf(a)), uint8(r.Prefix.Bits()), unix.IFA_F_NODAD, index)...)
	b.Addr(unix.IFA_LOCAL, a)
	b.Addr(unix.IFA_ADDRESS, a)
}

// afOf returns the kernel's number for a family.
func afOf(f netconf.Family) uint8 {
	if f == netconf.V4 {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
