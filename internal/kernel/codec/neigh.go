package codec

import (
	"cmp"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// ndaProtocol is NDA_PROTOCOL of linux/neighbour.h (since 5.0): who made a
// neighbour entry. Kernels without it pass over it.
const ndaProtocol = 12

// Neigh is a neighbour or, with family AF_BRIDGE, a forwarding entry.
type Neigh struct {
	Family   uint8
	Index    int32  // of its device
	State    uint16 // NUD_*
	Flags    uint8  // NTF_*
	Protocol uint8  // 0: not said
	Dst      netip.Addr
	MAC      netstate.MAC
	HasMAC   bool
}

// NeighHeader packs struct ndmsg of linux/neighbour.h.
func NeighHeader(family uint8, index int32, state uint16, flags uint8) []byte {
	h := make([]byte, unix.SizeofNdMsg)
	h[0] = family
	native.PutUint32(h[4:], uint32(index))
	native.PutUint16(h[8:], state)
	h[10] = flags
	return h
}

// DecodeNeigh reads RTM_NEWNEIGH and RTM_DELNEIGH.
func DecodeNeigh(m rtnl.Message) (Neigh, bool) {
	head, attrs, ok := m.Header(unix.SizeofNdMsg)
	if !ok {
		return Neigh{}, false
	}
	n := Neigh{
		Family: head[0],
		Index:  int32(native.Uint32(head[4:])),
		State:  native.Uint16(head[8:]),
		Flags:  head[10],
	}
	for a := range attrs.All() {
		switch a.Type {
		case unix.NDA_DST:
			n.Dst = a.Addr()
		case ndaProtocol:
			n.Protocol = a.Uint8()
		case unix.NDA_LLADDR:
			if n.HasMAC = len(a.Value) == len(n.MAC); n.HasMAC {
				n.MAC = netstate.MAC(a.Value)
			}
		}
	}
	return n, n.Dst.IsValid()
}

// ReadNeighs calls yield with the entries of a family (AF_BRIDGE: forwarding
// entries) on the device that has an index.
func ReadNeighs(conn *rtnl.Conn, family uint8, index int32, yield func(Neigh)) error {
	var b rtnl.Batch
	b.Message(unix.RTM_GETNEIGH, unix.NLM_F_DUMP, NeighHeader(family, 0, 0, 0)...)
	b.Uint32(unix.NDA_IFINDEX, uint32(index))
	for m, err := range conn.Dump(&b) {
		if err != nil {
			return fmt.Errorf("list neighbours: %w", err)
		}
		if n, ok := DecodeNeigh(m); ok && n.Index == index {
			yield(n)
		}
	}
	return nil
}

// EncodeNeigh puts the request to set n, whose state is permanent unless n says
// another.
func EncodeNeigh(b *rtnl.Batch, n Neigh) {
	b.Message(unix.RTM_NEWNEIGH, Replace, NeighHeader(n.Family, n.Index, cmp.Or(n.State, unix.NUD_PERMANENT), n.Flags)...)
	b.Addr(unix.NDA_DST, n.Dst)
	b.Bytes(unix.NDA_LLADDR, n.MAC[:]...)
	if n.Protocol != 0 {
		b.Uint8(ndaProtocol, n.Protocol)
	}
}

// EncodeNoNeigh puts the request to remove the entry that has the address or,
// in the forwarding table, the MAC of n.
func EncodeNoNeigh(b *rtnl.Batch, n Neigh) {
	b.Message(unix.RTM_DELNEIGH, 0, NeighHeader(n.Family, n.Index, 0, n.Flags)...)
	if n.Family == unix.AF_BRIDGE {
		b.Bytes(unix.NDA_LLADDR, n.MAC[:]...)
	} else {
		b.Addr(unix.NDA_DST, n.Dst)
	}
}
