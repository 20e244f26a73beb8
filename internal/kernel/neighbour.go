package kernel

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

// ndaProtocol is NDA_PROTOCOL of linux/neighbour.h (since 5.0): who made a
// neighbour entry. Kernels without it pass over it.
const ndaProtocol = 12

// neighbour is a neighbour or forwarding entry as the kernel describes it.
type neighbour struct {
	family uint8
	index  int32  // of its device
	state  uint16 // NUD_*
	flags  uint8  // NTF_*
	dst    netip.Addr
	mac    netstate.MAC
	hasMAC bool
}

// neighbourHeader packs struct ndmsg of linux/neighbour.h.
func neighbourHeader(family uint8, index int32, state uint16, flags uint8) []byte {
	h := make([]byte, sizeofNdMsg)
	h[0] = family
	native.PutUint32(h[4:], uint32(index))
	native.PutUint16(h[8:], state)
	h[10] = flags
	return h
}

const sizeofNdMsg = 12

// decodeNeighbour reads RTM_NEWNEIGH and RTM_DELNEIGH.
func decodeNeighbour(m rtnl.Message) (neighbour, bool) {
	head, attrs, ok := m.Header(sizeofNdMsg)
	if !ok {
		return neighbour{}, false
	}
	n := neighbour{
		family: head[0],
		index:  int32(native.Uint32(head[4:])),
		state:  native.Uint16(head[8:]),
		flags:  head[10],
	}
	for a := range attrs.All() {
		switch a.Type {
		case unix.NDA_DST:
			n.dst = a.Addr()
		case unix.NDA_LLADDR:
			if n.hasMAC = len(a.Value) == len(n.mac); n.hasMAC {
				n.mac = netstate.MAC(a.Value)
			}
		}
	}
	return n, n.dst.IsValid()
}

// permanent reports whether the entry is of the kind that weft makes.
func (n neighbour) permanent() bool {
	if n.family == unix.AF_BRIDGE && n.flags&unix.NTF_SELF == 0 {
		return false
	}
	return n.state&unix.NUD_PERMANENT != 0 && n.hasMAC
}

// dumpNeighbours calls yield for the entries of family (AF_BRIDGE: of the
// forwarding table) on the device with an index.
func dumpNeighbours(conn *rtnl.Conn, family uint8, index int32, yield func(neighbour)) error {
	var b rtnl.Batch
	b.Message(unix.RTM_GETNEIGH, unix.NLM_F_DUMP, neighbourHeader(family, 0, 0, 0)...)
	b.Uint32(unix.NDA_IFINDEX, uint32(index))
	for m, err := range conn.Dump(&b) {
		if err != nil {
			return fmt.Errorf("list neighbours: %w", err)
		}
		// A kernel without strict checking lists every device's.
		if n, ok := decodeNeighbour(m); ok && n.index == index && n.permanent() {
			yield(n)
		}
	}
	return nil
}

// encodeNeigh puts the request to set or remove r.
func encodeNeigh(b *rtnl.Batch, r netstate.Neigh, index int32, remove bool) {
	family := afOf(netconf.FamilyOf(r.Addr))
	if remove {
		b.Message(unix.RTM_DELNEIGH, 0, neighbourHeader(family, index, 0, 0)...)
		b.Addr(unix.NDA_DST, r.Addr)
		return
	}
	b.Message(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE,
		neighbourHeader(family, index, unix.NUD_PERMANENT, 0)...)
	b.Addr(unix.NDA_DST, r.Addr)
	b.Bytes(unix.NDA_LLADDR, r.MAC[:]...)
	b.Uint8(ndaProtocol, netstate.RouteProtocol)
}

// encodeFDB puts the request to set or remove r.
func encodeFDB(b *rtnl.Batch, r netstate.FDB, index int32, remove bool) {
	if remove {
		b.Message(unix.RTM_DELNEIGH, 0, neighbourHeader(unix.AF_BRIDGE, index, 0, unix.NTF_SELF)...)
		b.Bytes(unix.NDA_LLADDR, r.MAC[:]...)
		return
	}
	b.Message(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE,
		neighbourHeader(unix.AF_BRIDGE, index, unix.NUD_PERMANENT, unix.NTF_SELF)...)
	b.Bytes(unix.NDA_LLADDR, r.MAC[:]...)
	b.Addr(unix.NDA_DST, r.Dst)
}
