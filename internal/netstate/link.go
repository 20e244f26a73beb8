package netstate

import (
	"fmt"
	"net/netip"
	"strings"
)

// Kinds of links. Any other kind in an observed state is a foreign device
// that stands where one of ours belongs.
const (
	KindVXLAN     = "vxlan"
	KindWireGuard = "wireguard" // of the kernel or in user space, which is the kernel package's affair
	KindIPIP      = "ipip"      // IPv4 in IPv4, RFC 2003
)

// Link is a network device that weft makes, identified by its name.
type Link struct {
	Name     string
	Kind     string     // IFLA_INFO_KIND; those above are made by weft
	VNI      uint32     // VXLAN network identifier, 24 bits
	Local    netip.Addr // source address of the tunnel
	Dev      string     // lower device
	VRF      string     // that Dev belonged to when the device was made, which binds its socket to that; "": none
	Port     uint16     // UDP port: of vxlan the destination, of wireguard the one to listen on; host order
	Learning bool       // the kernel learns FDB entries from packets
	GBP      bool       // group based policy extension
	Key      WGKey      // of wireguard: the public one of this host
	MTU      int        // bytes
	MAC      MAC
	Up       bool
}

func (l Link) Compare(o Link) int { return strings.Compare(l.Name, o.Name) }

// Foreign reports whether the device is of a kind that weft never makes.
func (l Link) Foreign() bool {
	return l.Kind != KindVXLAN && l.Kind != KindWireGuard && l.Kind != KindIPIP
}

// mendable reports whether l can be made into want without making it anew:
// all that differs are attributes that the kernel changes in place.
func (l Link) mendable(want Link) bool {
	l.MTU, l.MAC, l.Up = want.MTU, want.MAC, want.Up
	if l.Kind == KindWireGuard {
		l.Port, l.Key = want.Port, want.Key
	}
	return l == want
}

// String renders e.g. "link flannel.1 vxlan vni 1 local 10.4.7.21 dev eth0
// port 8472 nolearning mtu 1450 mac 0a:4f:76:eb:12:f5 up".
func (l Link) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "link %s %s", l.Name, l.Kind)
	if l.Kind == KindWireGuard {
		fmt.Fprintf(&b, " port %d", l.Port)
		if !l.Key.IsZero() {
			fmt.Fprintf(&b, " key %s", l.Key)
		}
		fmt.Fprintf(&b, " mtu %d%s", l.MTU, flag(l.Up, " up", " down"))
		return b.String()
	}
	if l.Kind == KindIPIP {
		if l.Local.IsValid() {
			fmt.Fprintf(&b, " local %s", l.Local)
		}
		fmt.Fprintf(&b, " mtu %d%s", l.MTU, flag(l.Up, " up", " down"))
		return b.String()
	}
	if l.Kind == KindVXLAN {
		fmt.Fprintf(&b, " vni %d", l.VNI)
		if l.Local.IsValid() {
			fmt.Fprintf(&b, " local %s", l.Local)
		}
		if l.Dev != "" {
			fmt.Fprintf(&b, " dev %s", l.Dev)
		}
		if l.VRF != "" {
			fmt.Fprintf(&b, " vrf %s", l.VRF)
		}
		fmt.Fprintf(&b, " port %d", l.Port)
		b.WriteString(flag(l.Learning, " learning", " nolearning"))
		b.WriteString(flag(l.GBP, " gbp", ""))
	}
	fmt.Fprintf(&b, " mtu %d mac %s%s", l.MTU, l.MAC, flag(l.Up, " up", " down"))
	return b.String()
}

func flag(set bool, yes, no string) string {
	if set {
		return yes
	}
	return no
}
