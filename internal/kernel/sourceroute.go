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
)

// Routing implements host.Source.
func (k *Kernel) Routing(ctx context.Context, overlay []netip.Prefix) (out host.Routing, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found hostRoutes
	n := near{overlay: overlay}
	err = again(ctx, func() (err error) {
		if out.Rules, err = readPolicy(k.conn); err != nil {
			return err
		}
		if found, n.tables, err = k.hostRoutes(out.Rules); err != nil {
			return err
		}
		n.nexthops, err = found.resolve(k.conn)
		return err
	})
	if err != nil {
		return host.Routing{}, err
	}
	n.links, n.leading, n.used = found.links(), found.leading(), n.nexthops.used(found)
	if n.far = found.far(&n); len(n.far) <= maxFar {
		n.partial = len(found.far(&n)) > maxFar // with those that are more specific than they
	} else {
		n.far, n.partial = nil, true
	}
	k.near.Store(&n)
	out.Partial = n.partial
	out.Routes, err = found.concerning(&n, newDevices(k.conn))
	return out, err
}

// maxFar is how many routes to places behind gateways are gone by. Routers have
// a million; then nothing is said about such places.
const maxFar = 256

// far returns the destinations of the routes to places behind gateways that matter.
func (h hostRoutes) far(n *near) (out []netip.Prefix) {
	for _, r := range h {
		if n.isFar(r) {
			out = append(out, r.Dst)
		}
	}
	return out
}

// hostRoutes reads the routes of the tables that rules and VRFs lead to.
func (k *Kernel) hostRoutes(rules []host.PolicyRule) (found hostRoutes, tables map[uint32]bool, err error) {
	links, err := readLinks(k.conn, "vrf")
	if err != nil {
		return nil, nil, err
	}
	tables = map[uint32]bool{}
	for _, f := range netconf.Families {
		for table := range lookedUp(f, rules, vrfsOf(links)) {
			tables[table] = true
			if err := (codec.Routes{Table: table}).Read(k.conn, afOf(f), found.add); err != nil {
				return nil, nil, err
			}
		}
	}
	return found, tables, nil
}

// concerning returns the routes that say where hosts are, in the words of
// package host.
func (h hostRoutes) concerning(n *near, known *devices) (out []host.Route, err error) {
	for _, r := range h {
		if !n.concerns(r) {
			continue
		}
		if out, err = appendRoute(out, r, known); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(a, b host.Route) int {
		return cmp.Or(cmp.Compare(a.Family(), b.Family()), cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Table, b.Table))
	})
	return out, nil
}

// appendRoute adds r in the words of package host, once for each of its hops.
func appendRoute(out []host.Route, r hostRoute, known *devices) ([]host.Route, error) {
	row := host.Route{Dst: r.Dst, Src: r.Src, Metric: r.Metric, Advert: r.Protocol == unix.RTPROT_RA, Table: r.Table, Throw: r.Kind == unix.RTN_THROW}
	row.Wide = r.Dst.Addr().Is4() && r.Scope < unix.RT_SCOPE_LINK
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
		out = append(out, row)
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
