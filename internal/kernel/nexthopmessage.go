package kernel

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// dump reads the kernel's nexthop objects.
func (n *nexthops) dump(conn *rtnl.Conn, scope netstate.Scope) error {
	n.reset(scope)
	if n.missing {
		return nil
	}
	var b rtnl.Batch
	b.Message(unix.RTM_GETNEXTHOP, unix.NLM_F_DUMP, nexthopHeader(0, 0, 0)...)
	for m, err := range conn.Dump(&b) {
		switch {
		case errors.Is(err, syscall.EOPNOTSUPP):
			n.missing = true // a kernel before 5.3
		case err != nil:
			return fmt.Errorf("list nexthops: %w", err)
		default:
			n.found(m)
		}
	}
	return nil
}

// nexthopHeader packs struct nhmsg of linux/nexthop.h.
func nexthopHeader(family, protocol uint8, flags uint32) []byte {
	h := make([]byte, unix.SizeofNhmsg)
	h[0], h[2] = family, protocol
	native.PutUint32(h[4:], flags)
	return h
}

// decodeNexthop reads RTM_NEWNEXTHOP and RTM_DELNEXTHOP.
func decodeNexthop(m rtnl.Message) (id uint32, protocol uint8, h hop, ok bool) {
	head, attrs, ok := m.Header(unix.SizeofNhmsg)
	if !ok {
		return 0, 0, hop{}, false
	}
	h.onlink = native.Uint32(head[4:])&unix.RTNH_F_ONLINK != 0
	for a := range attrs.All() {
		switch a.Type {
		case unix.NHA_ID:
			id = a.Uint32()
		case unix.NHA_OIF:
			h.dev = int32(a.Uint32())
		case unix.NHA_GATEWAY:
			h.via = a.Addr()
		}
	}
	h.tag = owned.TagOfID(id)
	return id, head[2], h, id != 0
}

// encodeNexthop puts the request to make an object where none is.
func encodeNexthop(b *rtnl.Batch, id uint32, h hop) {
	var flags uint32
	if h.onlink {
		flags = unix.RTNH_F_ONLINK
	}
	b.Message(unix.RTM_NEWNEXTHOP, codec.Create,
		nexthopHeader(codec.Family(h.via), owned.RouteProtocol, flags)...)
	b.Uint32(unix.NHA_ID, id)
	b.Uint32(unix.NHA_OIF, uint32(h.dev))
	b.Addr(unix.NHA_GATEWAY, h.via)
}
