package ptp

import (
	"net"
	"net/netip"

	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/kernel/podlink"
)

// result returns the link and the default routes, with the gateways out, in the
// runtime's form.
func result(r cni.Request, c config, link podlink.Link, out []netip.Addr) *current.Result {
	res := &current.Result{
		CNIVersion: current.ImplementedSpecVersion,
		Interfaces: []*current.Interface{
			{Name: link.Host, Mac: link.HostMAC.String(), Mtu: link.MTU},
			{Name: link.Pod, Mac: link.PodMAC.String(), Mtu: link.MTU, Sandbox: r.Netns},
		},
		DNS: c.DNS,
	}
	for _, a := range link.Addrs {
		res.IPs = append(res.IPs, &current.IPConfig{Interface: current.Int(podEnd), Address: prefix(a, a.BitLen()), Gateway: podlink.Gateway(a).AsSlice()})
	}
	for _, gateway := range out {
		res.Routes = append(res.Routes, &types.Route{Dst: prefix(unspecified(gateway), 0), GW: gateway.AsSlice()})
	}
	return res
}

// podEnd is the container's end among a result's interfaces.
const podEnd = 1

// prefix returns a prefix in the form of the library's results.
func prefix(a netip.Addr, bits int) net.IPNet {
	return net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(bits, a.BitLen())}
}

// unspecified is the address of all zeros of a's family.
func unspecified(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
