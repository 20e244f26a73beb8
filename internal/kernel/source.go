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
	"github.com/weft-net/weft/internal/netstate"
)

// Interfaces implements host.Source.
func (k *Kernel) Interfaces(ctx context.Context) (out []host.Interface, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	err = again(ctx, func() (err error) {
		out, err = interfaces(k.conn)
		return err
	})
	return out, err
}

func interfaces(conn *rtnl.Conn) ([]host.Interface, error) {
	links, err := dumpLinks(conn, "")
	if err != nil {
		return nil, err
	}
	addrs, err := dumpAddresses(conn, 0)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(links, func(a, b link) int { return cmp.Compare(a.index, b.index) })
	out := make([]host.Interface, 0, len(links))
	for _, l := range links {
		i := host.Interface{
			Name: l.Name, Index: int(l.index), MTU: l.MTU, Up: l.Up,
			Loopback: l.flags&unix.IFF_LOOPBACK != 0,
			Tunnel:   l.Kind == netstate.KindVXLAN,
			MAC:      net.HardwareAddr(l.mac),
		}
		for _, a := range addrs {
			if a.index == l.index {
				i.Addrs = append(i.Addrs, a.fact())
			}
		}
		out = append(out, i)
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
func (k *Kernel) DefaultRoutes(ctx context.Context) (out []host.DefaultRoute, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := newDevices(k.conn)
	for _, f := range netconf.Families {
		var routes []route
		err := again(ctx, func() (err error) {
			routes, err = defaultRoutes(k.conn, f)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, r := range routes {
			for _, dev := range r.devices() {
				name, err := known.name(dev)
				if err != nil {
					return nil, err
				}
				out = append(out, host.DefaultRoute{Family: f, Dev: name, Metric: r.metric, Advert: r.protocol == unix.RTPROT_RA})
			}
		}
	}
	return out, nil
}

// defaultRoutes returns those of the main table, best metric first.
func defaultRoutes(conn *rtnl.Conn, f netconf.Family) ([]route, error) {
	var out []route
	err := dumpRoutes(conn, f, func(r route) {
		if r.dst.Bits() == 0 && r.kind == unix.RTN_UNICAST {
			r.multipath = slices.Clone(r.multipath)
			out = append(out, r)
		}
	})
	slices.SortStableFunc(out, func(a, b route) int { return cmp.Compare(a.metric, b.metric) })
	return out, err
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
	header := routeHeader(afOf(netconf.FamilyOf(dst)), dst.BitLen(), 0, 0, 0, 0)
	header[4] = unix.RT_TABLE_UNSPEC // the rules say in which tables to look
	b.Message(unix.RTM_GETROUTE, 0, header...)
	b.Addr(unix.RTA_DST, dst)
	var dev int32
	for m, err := range k.conn.Dump(&b) {
		if err != nil {
			return "", fmt.Errorf("look up the route to %s: %w", dst, err)
		}
		if r, ok := decodeRoute(m); ok {
			dev = r.dev
		}
	}
	name, err := newDevices(k.conn).name(dev)
	if err == nil && name == "" {
		err = fmt.Errorf("there is no route to %s", dst)
	}
	return name, err
}
