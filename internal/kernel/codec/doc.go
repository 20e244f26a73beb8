// Package codec writes and reads rtnetlink messages about devices, addresses,
// neighbours and routes, for the agent's view of the kernel and for the links
// of pods alike. It knows the form of these objects and must not know which of them
// are whose or what they are for.
//
// The forms are those of the kernel's uapi headers: linux/if_link.h,
// linux/if_addr.h, linux/neighbour.h (neighbours and, with family AF_BRIDGE,
// forwarding entries) and linux/rtnetlink.h (routes). A kernel without strict
// checking (before 4.20) lists more than it was asked for; what is not asked for
// is left out here.
package codec

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

var native = binary.NativeEndian

// Family returns the kernel's number for the family of a.
func Family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// How an object is put.
const (
	Create  = unix.NLM_F_CREATE | unix.NLM_F_EXCL    // where there is none
	Replace = unix.NLM_F_CREATE | unix.NLM_F_REPLACE // whatever is there
)
