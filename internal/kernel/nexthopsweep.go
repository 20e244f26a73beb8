package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/owned"
)

// sweep deletes the objects that no route needs: those of ours whose routes
// have gone, and those that a predecessor left. With an object the
// kernel removes the routes through it, so nothing is deleted that may have become
// somebody else's.
func (n *nexthops) sweep(conn *rtnl.Conn) error {
	if len(n.doubtful) > 0 {
		if err := n.findRoutes(conn); err != nil {
			return err
		}
	}
	unused := maps.Clone(n.doubtful)
	for id := range n.idle {
		if unused == nil {
			unused = map[uint32]hop{}
		}
		unused[id] = n.objects[id].hop
	}
	if len(unused) == 0 {
		return nil
	}
	ids, err := n.unchanged(conn, unused)
	if err != nil {
		return err
	}
	return n.remove(conn, ids)
}

// findRoutes looks whether routes go through doubtful objects now: then these are
// another agent's.
func (n *nexthops) findRoutes(conn *rtnl.Conn) error {
	for _, f := range netconf.Families {
		err := readRoutes(conn, f, func(r codec.Route) {
			if _, doubtful := n.doubtful[r.Nexthop]; doubtful {
				delete(n.doubtful, r.Nexthop)
				n.taken[r.Nexthop] = true
			}
		})
		if err != nil && !errors.Is(err, rtnl.ErrInterrupted) { // what was missed is listed by the next look
			return err
		}
	}
	return nil
}

// unchanged returns the ids of those objects that are still what they are
// taken for, and gives the others up.
func (n *nexthops) unchanged(conn *rtnl.Conn, want map[uint32]hop) ([]uint32, error) {
	same := make([]uint32, 0, len(want))
	err := readNexthops(conn, slices.Collect(maps.Keys(want)), func(id uint32, protocol uint8, h hop) {
		if wanted, asked := want[id]; asked && protocol == owned.RouteProtocol && h == wanted {
			same = append(same, id)
			delete(want, id)
		}
	})
	if err != nil {
		return nil, err
	}
	for id := range want {
		delete(n.doubtful, id)
		n.lose(id)
	}
	slices.Sort(same)
	return same, nil
}

// fewNexthops is the number of objects up to which each is asked for by itself.
const fewNexthops = 32

// readNexthops calls yield for the objects of those ids that exist, and maybe
// for others.
func readNexthops(conn *rtnl.Conn, ids []uint32, yield func(id uint32, protocol uint8, h hop)) error {
	if len(ids) > fewNexthops {
		return readNexthop(conn, 0, yield)
	}
	for _, id := range ids {
		if err := readNexthop(conn, id, yield); err != nil && !errors.Is(err, syscall.ENOENT) {
			return err
		}
	}
	return nil
}

// readNexthop calls yield for one object, or for all if id is 0.
func readNexthop(conn *rtnl.Conn, id uint32, yield func(id uint32, protocol uint8, h hop)) error {
	var b rtnl.Batch
	if id == 0 {
		b.Message(unix.RTM_GETNEXTHOP, unix.NLM_F_DUMP, nexthopHeader(0, 0, 0)...)
	} else {
		b.Message(unix.RTM_GETNEXTHOP, 0, nexthopHeader(0, 0, 0)...)
		b.Uint32(unix.NHA_ID, id)
	}
	for m, err := range conn.Dump(&b) {
		if err != nil {
			return fmt.Errorf("read nexthop objects: %w", err)
		}
		if id, protocol, h, ok := decodeNexthop(m); ok {
			yield(id, protocol, h)
		}
	}
	return nil
}

// remove deletes objects.
func (n *nexthops) remove(conn *rtnl.Conn, ids []uint32) (err error) {
	var b rtnl.Batch
	for _, id := range ids {
		b.Message(unix.RTM_DELNEXTHOP, 0, nexthopHeader(0, 0, 0)...)
		b.Uint32(unix.NHA_ID, id)
		delete(n.doubtful, id)
		n.drop(id)
	}
	for _, f := range conn.Exec(&b) {
		if !errors.Is(f.Err, syscall.ENOENT) {
			err = cmp.Or(err, fmt.Errorf("remove nexthop object %d: %w", ids[f.Message], f.Err))
		}
	}
	return err
}
