package kernel

import (
	"cmp"
	"context"
	"net"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
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
	outward := leadingOut(links)
	vrfs := vrfsOf(links)
	out := make([]host.Interface, 0, len(links))
	for _, l := range links {
		i := host.Interface{
			Name: l.Name, Index: int(l.index), MTU: l.MTU, Up: l.Up,
			Carrier:  l.flags&unix.IFF_LOWER_UP != 0,
			Loopback: l.flags&unix.IFF_LOOPBACK != 0,
			Tunnel:   l.Kind == netstate.KindVXLAN || l.Kind == netstate.KindIPIP && l.Name == owned.IPIP,
			Overlay:  l.Kind == netstate.KindVXLAN && owned.IsDeviceName(l.Name) || owned.IsFlannelDevice(l.Name),
			Local:    l.Kind == "dummy" || l.Kind == "bridge" && !outward[l.index],
			MAC:      net.HardwareAddr(l.mac),
			VRF:      vrfs[l.master].name,
			Table:    vrfs[l.master].table,
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

// leadingOut returns the bridges by their index of which a port may lead out of the host:
// any but the ends of containers (veth) and of virtual machines (tun, which taps are too).
func leadingOut(links []link) map[int32]bool {
	out := map[int32]bool{}
	for _, l := range links {
		if l.Kind != "veth" && l.Kind != "tun" {
			out[l.master] = true
		}
	}
	return out
}

// addrOf is the address in the words of package host.
func addrOf(a codec.Addr) host.Addr {
	const unusable = unix.IFA_F_DEPRECATED | unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED
	v6 := a.Prefix.Addr().Is6()
	return host.Addr{
		Prefix:    a.Prefix,
		LinkLocal: a.Scope == unix.RT_SCOPE_LINK,
		Dynamic:   a.Flags&unix.IFA_F_PERMANENT == 0,
		// One bit with two meanings.
		Secondary:  !v6 && a.Flags&unix.IFA_F_SECONDARY != 0,
		Temporary:  v6 && a.Flags&unix.IFA_F_TEMPORARY != 0,
		Deprecated: a.Flags&unusable != 0,
	}
}
