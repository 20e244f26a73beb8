package kernel

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// Attributes of ipip devices (linux/if_tunnel.h).
const (
	iptunLink     = 1
	iptunLocal    = 2
	iptunRemote   = 3
	iptunPMTUDisc = 10
)

// decodeIPIP leaves out the address of a device to one host alone, so that it is none of
// ours as it is.
func (l *link) decodeIPIP(attrs rtnl.Attrs) {
	remote := netip.Addr{}
	for a := range attrs.All() {
		switch a.Type {
		case iptunLocal:
			l.Local = a.Addr()
		case iptunRemote:
			remote = a.Addr()
		case iptunLink:
			l.lower = int32(a.Uint32())
		}
	}
	if remote.IsValid() && !remote.IsUnspecified() || l.Local.IsUnspecified() {
		l.Local = netip.Addr{}
	}
}

// encodeIPIP leaves the bit that forbids fragments as each packet has it, as flannel does.
func encodeIPIP(b *rtnl.Batch, want netstate.Link, _ int32) {
	info := b.Nest(unix.IFLA_LINKINFO)
	b.String(unix.IFLA_INFO_KIND, netstate.KindIPIP)
	data := b.Nest(unix.IFLA_INFO_DATA)
	b.Addr(iptunLocal, want.Local)
	b.Uint8(iptunPMTUDisc, 0)
	b.End(data)
	b.End(info)
}

// ipip takes up the ipip device if it is ours.
func (o *observer) ipip() error {
	l, found, err := o.devs.named(owned.IPIP)
	if err != nil || !found || l.Kind != netstate.KindIPIP {
		return err
	}
	return o.tunnel(l)
}
