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
	"github.com/weft-net/weft/internal/kernel/codec"
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
	links, err := readLinks(conn, "")
	if err != nil {
		return nil, err
	}
	addrs, err := readAddresses(conn, 0)
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
			if a.Index == l.index {
				i.Addrs = append(i.Addrs, addrOf(a))
			}
		}
		out = append(out, i)
	}
	return out, nil
}

// addrOf is the address in the words of package host.
func addrOf(a codec.Addr) host.Addr {
	const unusable = unix.IFA_F_DEPRECATED | unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED
	v6 := a.Prefix.Addr().Is6()
	return host.Addr{
		Prefix:    a.Prefix,
		LinkLocal: a.Scope == unix.RT_SCOPE_LINK,
		Dynamic:   a.Flags&unix.IFA_F_PERMANENT == 0,
		// For IPv4 the same bit says that another address of the subnet came first.
		Temporary:  v6 && a.Flags&unix.IFA_F_TEMPORARY != 0,
		Deprecated: a.Flags&unusable != 0,
	}
}

// DefaultRoutes implements host.Source.
func (k *Kernel) DefaultRoutes(ctx context.Context) (out []host.DefaultRoute, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := newDevices(k.conn)
	for _, f := range netconf.Families {
		var routes []codec.Route
		err := again(ctx, func() (err error) {
			routes, err = defaultRoutes(k.conn, f)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, r := range routes {
			for _, dev := range r.Devices() {
				name, err := known.name(dev)
				if err != nil {
					return nil, err
				}
				out = append(out, host.DefaultRoute{Family: f, Dev: name, Metric: r.Metric, Advert: r.Protocol == unix.RTPROT_RA})
			}
		}
	}
	return out, nil
}

// defaultRoutes returns those of the main table, best metric first.
func defaultRoutes(conn *rtnl.Conn, f netconf.Family) ([]codec.Route, error) {
	var out []codec.Route
	err := readRoutes(conn, f, func(r codec.Route) {
		if r.Dst.Bits() == 0 && r.Kind == unix.RTN_UNICAST {
			r.Multipath = slices.Clone(r.Multipath)
			out = append(out, r)
		}
	})
	slices.SortStableFunc(out, func(a, b codec.Route) int { return cmp.Compare(a.Metric, b.Metric) })
	return out, err
}

// RouteTo implements host.Source.
func (k *Kernel) RouteTo(_ context.Context, dst netip.Addr) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var b rtnl.Batch
	header := codec.RouteHeader(codec.Family(dst), dst.BitLen(), 0, 0, 0, 0, 0)
	b.Message(unix.RTM_GETROUTE, 0, header...)
	b.Addr(unix.RTA_DST, dst)
	var dev int32
	for m, err := range k.conn.Dump(&b) {
		if err != nil {
			return "", fmt.Errorf("look up the route to %s: %w", dst, err)
		}
		if r, ok := codec.DecodeRoute(m); ok {
			dev = r.Dev
		}
	}
	name, err := newDevices(k.conn).name(dev)
	if err == nil && name == "" {
		err = fmt.Errorf("there is no route to %s", dst)
	}
	return name, err
}
