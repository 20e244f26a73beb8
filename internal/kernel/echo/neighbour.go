package echo

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// States of neighbours (linux/neighbour.h) by which frames can be sent, and
// those of them that the kernel has not doubted.
const (
	sure   = unix.NUD_REACHABLE | unix.NUD_PERMANENT | unix.NUD_NOARP
	usable = sure | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE
)

// neighbour returns the MAC of a neighbour as the kernel knows it. If the
// kernel does not, or is not sure, it is made to ask.
func (f frames) neighbour(a netip.Addr, index int32) (netstate.MAC, error) {
	n, found := f.lookUp(a, index)
	if !found || n.State&sure == 0 {
		f.resolve(a, index)
	}
	if !found || n.State&usable == 0 || !n.HasMAC {
		return netstate.MAC{}, ErrNoWay
	}
	return n.MAC, nil
}

// lookUp asks for one entry; kernels before 5.0 list all of the device.
func (f frames) lookUp(a netip.Addr, index int32) (found codec.Neigh, ok bool) {
	var b rtnl.Batch
	b.Message(unix.RTM_GETNEIGH, 0, codec.NeighHeader(codec.Family(a), index, 0, 0)...)
	b.Addr(unix.NDA_DST, a)
	for m, err := range f.link.Dump(&b) {
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
			return f.search(a, index)
		}
		if err != nil {
			break
		}
		if n, decoded := codec.DecodeNeigh(m); decoded && n.Dst == a && n.Index == index {
			return n, true
		}
	}
	return found, false
}

// search looks for an entry in the list of all.
func (f frames) search(a netip.Addr, index int32) (found codec.Neigh, ok bool) {
	_ = codec.ReadNeighs(f.link, codec.Family(a), index, func(n codec.Neigh) { // without an answer there is no entry
		if n.Dst == a {
			found, ok = n, true
		}
	})
	return found, ok
}

// resolve makes the kernel ask for a neighbour, as if a packet were for it.
func (f frames) resolve(a netip.Addr, index int32) {
	var b rtnl.Batch
	b.Message(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE, codec.NeighHeader(codec.Family(a), index, unix.NUD_NONE, unix.NTF_USE)...)
	b.Addr(unix.NDA_DST, a)
	f.link.Exec(&b) // a failure shows by there being no answer later on
}
