package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
	"github.com/weft-net/weft/internal/plan/vxlan"
)

// Before is what is left of an earlier run, so that a host announces the
// tunnel address that its peers know already.
type Before struct {
	Attrs lease.Attrs     // of the last known lease; zero if none
	Have  *netstate.State // the devices found on the host; nil if unknown
}

// Announce returns what the host tells its peers about itself. seed is the
// host's identity, from which tunnel addresses are derived when none is
// known. The error names what the network needs and the host lacks.
func Announce(net netconf.Network, facts host.Facts, seed string, before Before) (lease.Attrs, error) {
	attrs := lease.Attrs{Backend: net.Backend.Type, Public: facts.Public}
	for _, r := range net.Ranges {
		f := r.Family()
		public, ok := attrs.PublicAddr(f)
		if !ok {
			return lease.Attrs{}, fmt.Errorf("the network has an %s range, but uplink %s has no %s address to announce", f, facts.Uplink.Name, f)
		}
		switch net.Backend.Type {
		case VXLAN:
			vni := net.Backend.VXLAN.VNI
			attrs.Data = attrs.Data.With(f, vxlan.Data{VNI: vni, MAC: tunnelMAC(seed, f, vni, before)}.Marshal())
		case HostGW:
			if !slices.Contains(facts.Uplink.Addrs, public) {
				return lease.Attrs{}, fmt.Errorf("host-gw needs the announced address %s to be on uplink %s; drop --public-ip or use vxlan", public, facts.Uplink.Name)
			}
		}
	}
	return attrs, nil
}

// tunnelMAC keeps the MAC that peers know from the lease, else the one the
// device has, else derives one.
func tunnelMAC(seed string, f netconf.Family, vni uint32, before Before) netstate.MAC {
	if d, err := vxlan.ParseData(before.Attrs.Data.Of(f)); err == nil && before.Attrs.Backend == VXLAN && d.VNI == vni {
		return d.MAC
	}
	if before.Have != nil {
		l, ok := before.Have.Links.Find(netstate.Link{Name: owned.DeviceName(f, vni)})
		if ok && !l.Foreign() && l.MAC.IsUnicast() {
			return l.MAC
		}
	}
	return vxlan.DeriveMAC(seed, f, vni)
}

// tunnel is the device that end needs in family f.
func tunnel(in *Input, f netconf.Family, end end) (*vxlan.Tunnel, error) {
	subnet, ok := in.Self.Subnet(f)
	if !ok {
		return nil, fmt.Errorf("the network has an %s range, but this host's lease has no %s subnet; the agent is acquiring one (Kubernetes: the node needs a PodCIDR of that family)", f, f)
	}
	data, err := vxlan.ParseData(end.Attrs.Data.Of(f))
	if err != nil {
		return nil, fmt.Errorf("own lease: %w", err)
	}
	i := slices.IndexFunc(in.Host.Uplink.Addrs, netconf.Of(f))
	if i < 0 {
		return nil, fmt.Errorf("uplink %s has no %s address", in.Host.Uplink.Name, f)
	}
	return &vxlan.Tunnel{
		Name:     end.device(f),
		Conf:     end.Backend.VXLAN,
		Family:   f,
		Subnet:   subnet,
		Draining: slices.DeleteFunc(slices.Clone(in.Draining), func(p netip.Prefix) bool { return netconf.FamilyOf(p.Addr()) != f }),
		MAC:      data.MAC,
		Local:    in.Host.Uplink.Addrs[i],
		Dev:      in.Host.Uplink.Name,
		VRF:      in.Host.Uplink.VRF,
		MTU:      underlayMTU(end.Backend, in.Host) - vxlan.Overhead(f),

		AllStrict: in.allStrict(),
	}, nil
}

// MTU returns the largest packet, in bytes, that fits through every path of
// the network: what containers get told.
func MTU(net netconf.Network, facts host.Facts) int {
	mtu := underlayMTU(net.Backend, facts)
	if net.Backend.Type != VXLAN {
		return mtu
	}
	over := 0
	for _, r := range net.Ranges {
		over = max(over, vxlan.Overhead(r.Family()))
	}
	return mtu - over
}

// underlayMTU is what the uplink carries, or less if the config says so. More
// than the uplink carries would be refused by the kernel, or lost on the way.
func underlayMTU(b netconf.Backend, facts host.Facts) int {
	if m := b.VXLAN.MTU; b.Type == VXLAN && m > 0 {
		return min(m, facts.Uplink.MTU)
	}
	return facts.Uplink.MTU
}

// LinkNames returns the names of the devices that net's backend needs.
func LinkNames(net netconf.Network) []string {
	var names []string
	if net.Backend.Type == VXLAN {
		for _, r := range net.Ranges {
			names = append(names, owned.DeviceName(r.Family(), net.Backend.VXLAN.VNI))
		}
	}
	return names
}
