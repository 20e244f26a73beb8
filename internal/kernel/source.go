package kernel

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
)

// Interfaces implements host.Source.
func (k *Kernel) Interfaces(context.Context) ([]host.Interface, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []host.Interface
	var b rtnl.Batch
	b.Message(unix.RTM_GETLINK, unix.NLM_F_DUMP, linkHeader(0, 0, 0)...)
	for m, err := range k.conn.Dump(&b) {
		if err != nil {
			return nil, fmt.Errorf("list devices: %w", err)
		}
		if l, ok := decodeLink(m); ok {
			out = append(out, host.Interface{
				Name: l.Name, Index: int(l.index), MTU: l.MTU, Up: l.Up,
				Loopback: l.flags&unix.IFF_LOOPBACK != 0,
				MAC:      net.HardwareAddr(slices.Clone(l.mac)),
			})
		}
	}
	slices.SortFunc(out, func(a, b host.Interface) int { return cmp.Compare(a.Index, b.Index) })
	addrs, err := dumpAddresses(k.conn, 0)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		i, ok := slices.BinarySearchFunc(out, int(a.index), func(o host.Interface, index int) int { return cmp.Compare(o.Index, index) })
		if ok {
			out[i].Addrs = append(out[i].Addrs, a.fact())
		}
	}
	return out, nil
}

// fact is the address in the words of package host.
func (a address) fact() host.Addr {
	const unusable = unix.IFA_F_DEPRECATED | unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED
	v6 := a.prefix.Addr().Is6()
	return host.Addr{
		Prefix:    a.prefix,
		LinkLocal: a.scope == unix.RT_SCOPE_LINK,
		Dynamic:   a.flags&unix.IFA_F_PERMANENT == 0,
		// For IPv4 the same bit says that another address of the subnet came first.
		Temporary:  v6 && a.flags&unix.IFA_F_TEMPORARY != 0,
		Deprecated: a.flags&unusable != 0,
	}
}

// DefaultRoutes implements host.Source.
func (k *Kernel) DefaultRoutes(context.Context) ([]host.DefaultRoute, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := newDevices(k.conn)
	var out []host.DefaultRoute
	for _, f := range netconf.Families {
		routes, err := defaultRoutes(k.conn, f)
		if err != nil {
			return nil, err
		}
		for _, r := range routes {
			for _, dev := range r.devices() {
				name, err := known.name(dev)
				if err != nil {
					return nil, err
				}
				out = append(out, host.DefaultRoute{Family: f, Dev: name, Metric: r.metric})
			}
		}
	}
	return out, nil
}

// defaultRoutes returns those of the main table, best metric first.
func defaultRoutes(conn *rtnl.Conn, f netconf.Family) ([]route, error) {
	var b rtnl.Batch
	b.Message(unix.RTM_GETROUTE, unix.NLM_F_DUMP, routeHeader(afOf(f), 0, 0, 0, 0, 0)...)
	b.Uint32(unix.RTA_TABLE, unix.RT_TABLE_MAIN)
	var out []route
	for m, err := range conn.Dump(&b) {
		if err != nil {
			return nil, fmt.Errorf("list %s routes: %w", f, err)
		}
		r, ok := decodeRoute(m)
		if ok && r.dst.Bits() == 0 && r.table == unix.RT_TABLE_MAIN && r.kind == unix.RTN_UNICAST {
			r.multipath = slices.Clone(r.multipath)
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b route) int { return cmp.Compare(a.metric, b.metric) })
	return out, nil
}

// devices returns the indexes of the devices that the route leads out of.
func (r route) devices() []int32 {
	if r.dev != 0 {
		return []int32{r.dev}
	}
	var out []int32
	for rest := r.multipath; len(rest) >= unix.SizeofRtNexthop; {
		// struct rtnexthop of linux/rtnetlink.h: length, flags, hops, ifindex
		size := int(native.Uint16(rest))
		if size < unix.SizeofRtNexthop || size > len(rest) {
			break
		}
		out = append(out, int32(native.Uint32(rest[4:])))
		rest = rest[min((size+3)&^3, len(rest)):]
	}
	return out
}

// RouteTo implements host.Source.
func (k *Kernel) RouteTo(_ context.Context, dst netip.Addr) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var b rtnl.Batch
	b.Message(unix.RTM_GETROUTE, 0, routeHeader(afOf(netconf.FamilyOf(dst)), dst.BitLen(), 0, 0, 0, 0)...)
	b.Addr(unix.RTA_DST, dst)
	for m, err := range k.conn.Dump(&b) {
		if err != nil {
			return "", fmt.Errorf("look up the route to %s: %w", dst, err)
		}
		if r, ok := decodeRoute(m); ok && r.dev != 0 {
			return newDevices(k.conn).name(r.dev)
		}
	}
	return "", fmt.Errorf("there is no route to %s", dst)
}
