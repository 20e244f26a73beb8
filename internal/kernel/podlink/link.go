package podlink

import (
	"net/netip"

	"github.com/weft-net/weft/internal/netstate"
)

// MAC is an Ethernet address.
type MAC = netstate.MAC

// Link is what a pod's link looks like.
type Link struct {
	Host    string // name of the host's end, 1 to 15 bytes
	HostMAC MAC
	Pod     string // name of the pod's end, in the pod's namespace
	PodMAC  MAC
	MTU     int          // bytes; 0: the kernel's choice
	Alias   string       // of the host's end, up to 255 bytes, for people who look at it
	Addrs   []netip.Addr // of the pod, any number of either family
}

// The gateways that pods see. They are link-local, and the same for all pods:
// on a link of two the address says nothing but "the other end".
var (
	gateway4 = netip.MustParseAddr("169.254.1.1")
	gateway6 = netip.MustParseAddr("fe80::1")
)

// Gateway is what stands for the host in the pod's routes of a's family.
func Gateway(a netip.Addr) netip.Addr {
	if a.Is4() {
		return gateway4
	}
	return gateway6
}

// has6 reports whether the pod has an IPv6 address.
func (l Link) has6() bool {
	for _, a := range l.Addrs {
		if a.Is6() {
			return true
		}
	}
	return false
}

// families returns one address of each family that the pod has.
func (l Link) families() (one []netip.Addr) {
	seen := map[bool]bool{}
	for _, a := range l.Addrs {
		if !seen[a.Is4()] {
			seen[a.Is4()] = true
			one = append(one, a)
		}
	}
	return one
}

// everything is the destination of a default route of a's family.
func everything(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

func alone(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
