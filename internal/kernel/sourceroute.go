package kernel

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/owned"
)

// Routes implements host.Source.
func (k *Kernel) Routes(ctx context.Context) (out []host.Route, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found hostRoutes
	var objects hostNexthops
	err = again(ctx, func() (err error) {
		found = hostRoutes{}
		for _, f := range netconf.Families {
			if err := readRoutes(k.conn, f, found.add); err != nil {
				return err
			}
		}
		objects, err = found.resolve(k.conn)
		return err
	})
	if err != nil {
		return nil, err
	}
	links := found.links()
	k.near.Store(&near{links, found.leading(), objects, objects.used(found)})
	known := newDevices(k.conn)
	for _, r := range found {
		if !concernsHosts(r, links) {
			continue
		}
		if out, err = appendRoute(out, r, known); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(a, b host.Route) int {
		return cmp.Or(cmp.Compare(a.Family(), b.Family()), cmp.Compare(a.Metric, b.Metric))
	})
	return out, nil
}

// near is what Watch has to know of routes to other hosts. It is replaced, never
// changed.
type near struct {
	links    []netip.Prefix  // on-link through any device
	leading  []int32         // devices of default routes
	nexthops hostNexthops    // nil: no route went through one
	used     map[uint32]bool // nexthop objects that routes go through, directly or by a group
}

// hostRoute is a route with the ways that it leads.
type hostRoute struct {
	codec.Route
	hops []codec.Hop
}

// hostRoutes are routes by which other hosts may be reached.
type hostRoutes []hostRoute

func (h *hostRoutes) add(r codec.Route) {
	if isHostRoute(r) {
		hops := r.Hops()
		r.Multipath = nil
		*h = append(*h, hostRoute{r, hops})
	}
}

// links returns the destinations, default routes aside, to which a route leads
// without a gateway.
func (h hostRoutes) links() (out []netip.Prefix) {
	for _, r := range h {
		if r.Dst.Bits() > 0 && isDirect(r) {
			out = append(out, r.Dst)
		}
	}
	return out
}

// leading returns the devices that default routes lead through.
func (h hostRoutes) leading() (out []int32) {
	for _, r := range h {
		if r.Dst.Bits() > 0 {
			continue
		}
		for _, hop := range r.hops {
			out = append(out, hop.Dev)
		}
	}
	return out
}

// isHostRoute reports whether r may say how other hosts are reached: it is in the
// main table, and leads neither to containers nor to link-local addresses.
func isHostRoute(r codec.Route) bool {
	return r.Table == unix.RT_TABLE_MAIN && r.TOS == 0 && r.Flags&unix.RTM_F_CLONED == 0 &&
		r.Protocol != owned.RouteProtocol && r.Protocol != owned.PodProtocol && r.Kind != unix.RTN_LOCAL &&
		!r.Dst.Addr().IsLinkLocalUnicast() && !r.Dst.Addr().IsMulticast()
}

// isDirect reports whether r leads somewhere without a gateway.
func isDirect(r hostRoute) bool {
	return r.Kind == unix.RTN_UNICAST &&
		slices.ContainsFunc(r.hops, func(h codec.Hop) bool { return !h.Via.IsValid() })
}

// concernsHosts reports whether r says where hosts are: it is a default route, leads to
// a link, or takes destinations out of one of links.
func concernsHosts(r hostRoute, links []netip.Prefix) bool {
	if r.Dst.Bits() == 0 {
		return r.Kind == unix.RTN_UNICAST
	}
	return isDirect(r) || slices.ContainsFunc(links, func(l netip.Prefix) bool {
		return l.Bits() <= r.Dst.Bits() && l.Contains(r.Dst.Addr())
	})
}

// appendRoute adds r in the words of package host, once for each of its hops.
func appendRoute(out []host.Route, r hostRoute, known *devices) ([]host.Route, error) {
	row := host.Route{Dst: r.Dst, Src: r.Src, Metric: r.Metric, Advert: r.Protocol == unix.RTPROT_RA}
	hops := r.hops
	if r.Kind != unix.RTN_UNICAST || len(hops) == 0 {
		hops = []codec.Hop{{}}
	}
	for _, h := range hops {
		name, err := known.name(h.Dev)
		if err != nil {
			return nil, err
		}
		row.Dev, row.Gateway = name, h.Via
		if name != "" || r.Dst.Bits() > 0 {
			out = append(out, row)
		}
	}
	return out, nil
}

// RouteTo implements host.Source.
func (k *Kernel) RouteTo(_ context.Context, dst netip.Addr) (host.Route, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var b rtnl.Batch
	header := codec.RouteHeader(codec.Family(dst), dst.BitLen(), 0, 0, 0, 0, 0)
	b.Message(unix.RTM_GETROUTE, 0, header...)
	b.Addr(unix.RTA_DST, dst)
	var found codec.Route
	for m, err := range k.conn.Dump(&b) {
		if err != nil {
			return host.Route{}, fmt.Errorf("look up the route to %s: %w", dst, err)
		}
		if r, ok := codec.DecodeRoute(m); ok {
			found = r
		}
	}
	name, err := newDevices(k.conn).name(found.Dev)
	if err == nil && name == "" {
		err = fmt.Errorf("there is no route to %s", dst)
	}
	return host.Route{Dst: netip.PrefixFrom(dst, dst.BitLen()), Dev: name, Gateway: found.Via, Src: found.Src}, err
}
