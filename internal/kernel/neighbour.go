package kernel

import (
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// isPermanent reports whether n is of the kind that weft makes.
func isPermanent(n codec.Neigh) bool {
	if n.Family == unix.AF_BRIDGE && n.Flags&unix.NTF_SELF == 0 {
		return false
	}
	return n.State&unix.NUD_PERMANENT != 0 && n.HasMAC
}

func neighOf(n codec.Neigh, dev string) netstate.Neigh {
	return netstate.Neigh{Addr: n.Dst, MAC: n.MAC, Dev: dev}
}

func fdbOf(n codec.Neigh, dev string) netstate.FDB {
	return netstate.FDB{MAC: n.MAC, Dst: n.Dst, Dev: dev}
}

// readPermanent calls yield for the entries that weft could have made.
func readPermanent(conn *rtnl.Conn, family uint8, index int32, yield func(codec.Neigh)) error {
	return codec.ReadNeighs(conn, family, index, func(n codec.Neigh) {
		if isPermanent(n) {
			yield(n)
		}
	})
}

// encodeNeigh puts the request to set or remove r.
func encodeNeigh(b *rtnl.Batch, r netstate.Neigh, index int32, remove bool) {
	put(b, codec.Neigh{
		Family: codec.Family(r.Addr), Index: index, Dst: r.Addr, MAC: r.MAC, Protocol: owned.RouteProtocol,
	}, remove)
}

// encodeFDB puts the request to set or remove r.
func encodeFDB(b *rtnl.Batch, r netstate.FDB, index int32, remove bool) {
	put(b, codec.Neigh{Family: unix.AF_BRIDGE, Index: index, Flags: unix.NTF_SELF, Dst: r.Dst, MAC: r.MAC}, remove)
}

func put(b *rtnl.Batch, n codec.Neigh, remove bool) {
	if remove {
		codec.EncodeNoNeigh(b, n)
	} else {
		codec.EncodeNeigh(b, n)
	}
}
