package owned

import (
	"hash/fnv"
	"net/netip"
)

// Tag marks the ids of the nexthop objects of one network, shifted into place:
//
//	bit 30     set: weft's range, away from the low ids that routing daemons use
//	bits 18-29 tag of the network that the routes lead into
//	bits 0-17  a number
//
// So two agents for two networks do not touch each other's objects. By chance
// two networks can have one tag: an object with a tag of an agent's and
// RouteProtocol is its own only if it leads a route into one of its networks,
// or none at all.
type Tag uint32

// Parts of an id.
const (
	nexthopRange uint32 = 1 << 30
	nexthopTags  uint32 = 1 << 12

	// NexthopNumbers is how many ids there are with one tag.
	NexthopNumbers uint32 = 1 << 18
)

// TagOf returns the tag of a network.
func TagOf(network netip.Prefix) Tag {
	h := fnv.New32a()
	_, _ = h.Write([]byte(network.String())) // a hash takes everything
	return Tag(nexthopRange | h.Sum32()%nexthopTags*NexthopNumbers)
}

// TagOfID returns the part of an id that is a tag if it is in weft's range.
func TagOfID(id uint32) Tag { return Tag(id &^ (NexthopNumbers - 1)) }

// ID returns the id with a number, from 0 to NexthopNumbers-1.
func (t Tag) ID(number uint32) uint32 { return uint32(t) | number }

// Number returns the number of an id with the tag.
func (t Tag) Number(id uint32) uint32 { return id - uint32(t) }
