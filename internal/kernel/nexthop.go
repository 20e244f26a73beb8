package kernel

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// Nexthop objects make it cheap to put in many routes (a gateway given with
// each route is compared with all others of its device). They are an affair
// of this package alone. Their ids tell whose they are: see owned.Tag. Should
// two agents' networks have one tag by chance, three things keep their objects
// apart: an object is made only where none is, never in the place of another;
// only objects that this Kernel made, or that lead routes into its networks,
// are used; and those found without a route are looked at again before they
// are deleted.

// hop is what a nexthop object says: where packets go next.
type hop struct {
	tag    owned.Tag
	via    netip.Addr
	dev    int32
	onlink bool
}

// object is a nexthop object of ours.
type object struct {
	hop
	refs int // routes through it
}

// tagged is a network with the tag of its nexthop objects.
type tagged struct {
	network netip.Prefix
	tag     owned.Tag
}

// nexthops remembers the nexthop objects in our tags.
type nexthops struct {
	missing  bool // the kernel has no nexthop objects
	networks []tagged
	ids      map[hop]uint32
	objects  map[uint32]object
	routes   map[netip.Prefix]uint32 // object that our route goes through
	idle     map[uint32]bool         // objects without routes
	doubtful map[uint32]hop          // found without a route: left by a predecessor, or another agent's
	taken    map[uint32]bool         // ids in our tags that others use
	free     map[owned.Tag]uint32    // number to try next
}

// reset forgets all and begins anew for the networks of scope.
func (n *nexthops) reset(scope netstate.Scope) {
	if n.ids == nil {
		*n = nexthops{
			missing: n.missing,
			ids:     map[hop]uint32{}, objects: map[uint32]object{},
			routes: map[netip.Prefix]uint32{}, idle: map[uint32]bool{}, doubtful: map[uint32]hop{},
			taken: map[uint32]bool{}, free: map[owned.Tag]uint32{},
		}
	}
	n.networks = n.networks[:0]
	clear(n.ids)
	clear(n.objects)
	clear(n.routes)
	clear(n.idle)
	clear(n.doubtful)
	clear(n.taken)
	clear(n.free)
	for _, network := range scope.Networks {
		n.networks = append(n.networks, tagged{network, owned.TagOf(network)})
	}
}

// found takes up an object of the kernel's list, ours or not: see adopt.
func (n *nexthops) found(m rtnl.Message) {
	id, protocol, h, ok := decodeNexthop(m)
	if !ok || !n.ours(h.tag) {
		return
	}
	n.free[h.tag] = max(n.free[h.tag], h.tag.Number(id))
	if protocol == owned.RouteProtocol {
		n.objects[id] = object{hop: h}
	} else {
		n.taken[id] = true
	}
}

// adopt parts our objects from those of others, once it is known which routes
// go through which.
func (n *nexthops) adopt() {
	own := make(map[uint32]bool, len(n.routes))
	for _, id := range n.routes {
		own[id] = true
	}
	for id, o := range n.objects {
		switch {
		case own[id]:
			if first, double := n.ids[o.hop]; !double || id < first {
				n.ids[o.hop] = id
			}
			continue
		case o.refs > 0:
			n.taken[id] = true
		default:
			n.doubtful[id] = o.hop
		}
		delete(n.objects, id)
	}
}

func (n *nexthops) ours(t owned.Tag) bool {
	return slices.ContainsFunc(n.networks, func(o tagged) bool { return o.tag == t })
}

// put notes an object that was made.
func (n *nexthops) put(id uint32, h hop) {
	n.objects[id] = object{hop: h}
	n.idle[id] = true
	n.ids[h] = id
}

// drop forgets an object that is gone.
func (n *nexthops) drop(id uint32) {
	o, ok := n.objects[id]
	if !ok {
		return
	}
	if n.ids[o.hop] == id {
		delete(n.ids, o.hop)
	}
	delete(n.objects, id)
	delete(n.idle, id)
}

// lose forgets an object that has become somebody else's.
func (n *nexthops) lose(id uint32) {
	n.drop(id)
	n.taken[id] = true
}

// doubt forgets an object that does not do what it should.
func (n *nexthops) doubt(id uint32) {
	if o, ok := n.objects[id]; ok {
		n.drop(id)
		n.doubtful[id] = o.hop
	}
}

// refer notes that a route goes through the object, if it is one of ours.
func (n *nexthops) refer(id uint32) bool {
	o, ok := n.objects[id]
	if !ok {
		return false
	}
	o.refs++
	n.objects[id] = o
	delete(n.idle, id)
	return true
}

// release notes that a route no longer goes through the object.
func (n *nexthops) release(id uint32) {
	o, ok := n.objects[id]
	if !ok {
		return
	}
	o.refs--
	n.objects[id] = o
	if o.refs <= 0 {
		n.idle[id] = true
	}
}

// unrefer forgets which routes go through which objects.
func (n *nexthops) unrefer() {
	clear(n.routes)
	for id, o := range n.objects {
		o.refs = 0
		n.objects[id] = o
	}
}

// resolve puts gateway and device of its object into a route that names the
// object alone (sysctl net.ipv4.nexthop_compat_mode=0).
func (n *nexthops) resolve(r codec.Route) codec.Route {
	o, ok := n.objects[r.Nexthop]
	if !ok || r.Via.IsValid() || r.Dev != 0 {
		return r
	}
	r.Via, r.Dev = o.via, o.dev
	if o.onlink {
		r.Flags |= unix.RTNH_F_ONLINK
	}
	return r
}

// lead notes that the route to dst goes through the object id now; 0: through
// none.
func (n *nexthops) lead(dst netip.Prefix, id uint32) {
	before, had := n.routes[dst]
	switch {
	case had && before == id:
		return
	case n.refer(id):
		n.routes[dst] = id
	default:
		delete(n.routes, dst)
	}
	if had {
		n.release(before)
	}
}

// unused returns an id with a tag that nobody has.
func (n *nexthops) unused(t owned.Tag) (uint32, error) {
	for range owned.NexthopNumbers {
		n.free[t] = n.free[t]%(owned.NexthopNumbers-1) + 1
		id := t.ID(n.free[t])
		_, ours := n.objects[id]
		_, doubtful := n.doubtful[id]
		if !ours && !doubtful && !n.taken[id] {
			return id, nil
		}
	}
	return 0, fmt.Errorf("all %d ids of nexthop objects are in use", owned.NexthopNumbers-1)
}

// tagFor returns the tag for routes to dst; false if they do without objects.
func (n *nexthops) tagFor(dst netip.Prefix) (owned.Tag, bool) {
	if n.missing {
		return 0, false
	}
	for _, o := range n.networks {
		if o.network.Bits() <= dst.Bits() && o.network.Contains(dst.Addr()) {
			return o.tag, true
		}
	}
	return 0, false
}
