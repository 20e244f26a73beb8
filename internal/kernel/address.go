package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

var native = binary.NativeEndian

// isManaged reports whether a is an address that weft would manage on its own
// devices.
func isManaged(a codec.Addr) bool { return a.Scope == unix.RT_SCOPE_UNIVERSE }

// readAddresses returns the addresses of the device with an index, or of all
// if index is 0, v4 first.
func readAddresses(conn *rtnl.Conn, index int32) (all []codec.Addr, err error) {
	err = codec.ReadAddrs(conn, index, func(a codec.Addr) { all = append(all, a) })
	return all, err
}

// encodeAddr puts the request to add or remove r.
func encodeAddr(b *rtnl.Batch, r netstate.Addr, index int32, remove bool) {
	a := codec.Addr{Prefix: r.Prefix, Index: index}
	if remove {
		codec.EncodeNoAddr(b, a)
	} else {
		codec.EncodeAddr(b, codec.Replace, a)
	}
}

// afOf returns the kernel's number for a family.
func afOf(f netconf.Family) uint8 {
	if f == netconf.V4 {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
