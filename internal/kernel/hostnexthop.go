package kernel

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
)

// hostNexthops are the kernel's nexthop objects, whoever made them, by id.
type hostNexthops map[uint32]hostNexthop

// hostNexthop is a hop, a group of such objects, or neither: packets are
// dropped.
type hostNexthop struct {
	hop     codec.Hop // Dev is 0 if it is none
	members []uint32
}

// sizeofGroupEntry is the size of struct nexthop_grp of linux/nexthop.h.
const sizeofGroupEntry = 8

// resolve finds out where routes lead that name a nexthop object. Whether the
// kernel tells that with the route itself is net.ipv4.nexthop_compat_mode.
func (h hostRoutes) resolve(conn *rtnl.Conn) (hostNexthops, error) {
	if !slices.ContainsFunc(h, func(r hostRoute) bool { return r.Nexthop != 0 }) {
		return nil, nil
	}
	objects, err := readHostNexthops(conn)
	if err != nil {
		return nil, err
	}
	for i, r := range h {
		if r.Nexthop != 0 && len(r.hops) == 0 {
			h[i].hops = objects.hops(r.Nexthop)
		}
	}
	return objects, nil
}

func readHostNexthops(conn *rtnl.Conn) (hostNexthops, error) {
	out := hostNexthops{}
	var b rtnl.Batch
	b.Message(unix.RTM_GETNEXTHOP, unix.NLM_F_DUMP, nexthopHeader(0, 0, 0)...)
	for m, err := range conn.Dump(&b) {
		switch {
		case errors.Is(err, syscall.EOPNOTSUPP):
			return out, nil // a kernel before 5.3
		case err != nil:
			return nil, fmt.Errorf("list nexthops: %w", err)
		}
		if id, o, ok := decodeHostNexthop(m); ok {
			out[id] = o
		}
	}
	return out, nil
}

func decodeHostNexthop(m rtnl.Message) (id uint32, o hostNexthop, ok bool) {
	id, _, h, ok := decodeNexthop(m)
	head, attrs, _ := m.Header(unix.SizeofNhmsg)
	if !ok {
		return 0, hostNexthop{}, false
	}
	if native.Uint32(head[4:])&unix.RTNH_F_DEAD == 0 {
		o.hop = codec.Hop{Via: h.via, Dev: h.dev}
	}
	for a := range attrs.All() {
		if a.Type != unix.NHA_GROUP {
			continue
		}
		for entry := range slices.Chunk(a.Value, sizeofGroupEntry) {
			if len(entry) == sizeofGroupEntry {
				o.members = append(o.members, native.Uint32(entry))
			}
		}
	}
	return id, o, true
}

// hops returns the ways that the object leads. Groups have no groups in them.
func (n hostNexthops) hops(id uint32) (out []codec.Hop) {
	for _, one := range append([]uint32{id}, n[id].members...) {
		if h := n[one].hop; h.Dev != 0 {
			out = append(out, h)
		}
	}
	return out
}

// used returns the ids of the objects that routes go through.
func (n hostNexthops) used(routes hostRoutes) map[uint32]bool {
	out := map[uint32]bool{}
	for _, r := range routes {
		if r.Nexthop == 0 {
			continue
		}
		out[r.Nexthop] = true
		for _, member := range n[r.Nexthop].members {
			out[member] = true
		}
	}
	return out
}
