package netstate

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/weft-net/weft/internal/owned"
)

// Route is a route of the main table with the family's default metric,
// identified by its destination. How the kernel is told (nexthop object or
// gateway attribute) is not part of it.
type Route struct {
	Dst    netip.Prefix // masked
	Via    netip.Addr
	Dev    string
	OnLink bool // Via is taken to be on Dev although no prefix says so
	MTU    int  // bytes: the largest packet that passes; 0: what Dev carries
	Proto  uint8
	// Proto is 0 for weft's own routes; else the protocol of whoever put a
	// route where weft looks for its own. Such a route is replaced when its
	// destination is wanted and left alone when not, unless it is abandoned.
	// Reject is what becomes of packets that no other route of the main table takes: Unreachable
	// or Blackhole; "": the route leads somewhere. A rejecting route of weft's has the worst
	// metric there is, and stands beside one that leads somewhere.
	Reject string
	Metric uint32 // 0: the family's default, which weft's own routes have; else a better one, which wins over it
}

// The rejecting routes.
const (
	Unreachable = "unreachable" // the sender is told
	Blackhole   = "blackhole"
)

// Compare orders by destination, and a route that leads somewhere first.
func (r Route) Compare(o Route) int {
	return cmp.Or(comparePrefix(r.Dst, o.Dst), strings.Compare(r.Reject, o.Reject))
}

// Foreign reports whether somebody else made the route.
func (r Route) Foreign() bool { return r.Proto != 0 }

// abandoned reports whether r is what flanneld left on a device that is ours
// now. Such a route goes when nobody wants it, as all else on the device does.
func (s *State) abandoned(r Route) bool {
	if r.Proto != owned.FlannelProtocol {
		return false
	}
	l, ok := s.Links.Find(Link{Name: r.Dev})
	return ok && !l.Foreign()
}

// stays reports whether a route of s that nobody wants is left alone.
func (s *State) stays(r Route) bool { return r.Foreign() && !s.abandoned(r) }

// String renders e.g. "route 172.7.24.0/24 via 172.7.24.0 dev flannel.1 onlink".
func (r Route) String() string {
	s := "route " + r.Dst.String()
	if r.Reject != "" {
		s += " " + r.Reject
	}
	if r.Via.IsValid() {
		s += " via " + r.Via.String()
	}
	if r.Dev != "" {
		s += " dev " + r.Dev
	}
	if r.OnLink {
		s += " onlink"
	}
	if r.MTU != 0 {
		s += fmt.Sprintf(" mtu %d", r.MTU)
	}
	if r.Foreign() {
		s += fmt.Sprintf(" proto %d", r.Proto)
	}
	if r.Metric != 0 {
		s += fmt.Sprintf(" metric %d", r.Metric)
	}
	return s
}
