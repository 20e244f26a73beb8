package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/vxlan"
)

// Before is what is left of an earlier run, so that a host announces the
// tunnel address that its peers know already.
type Before struct {
	Attrs lease.Attrs     // of the last known lease; zero if none
	Have  *netstate.State // the devices found on the host; nil if unknown
	Key   netstate.WGKey  // this host's public one; zero if it has none
}

// announcing is what an announcement depends on.
type announcing struct {
	net    netconf.Network
	facts  host.Facts
	seed   string
	before Before
	attrs  lease.Attrs // as far as they are known
}

// Announce returns what the host tells its peers about itself. seed is the
// host's identity, from which tunnel addresses are derived when none is
// known. The error names what the network needs and the host lacks.
func Announce(net netconf.Network, facts host.Facts, seed string, before Before) (lease.Attrs, error) {
	a := announcing{net, facts, seed, before, lease.Attrs{Backend: net.Backend.Type, Public: facts.Public}}
	kind := backends[net.Backend.Type]
	if kind.unnamed {
		a.attrs.Backend = ""
	}
	any := kind.anyFamily != nil && kind.anyFamily(net.Backend)
	for _, r := range net.Ranges {
		f := r.Family()
		if _, ok := a.attrs.PublicAddr(f); !ok && !any {
			return lease.Attrs{}, fmt.Errorf("the network has an %s range, but uplink %s has no %s address to announce", f, facts.Uplink.Name, f)
		}
		if kind.announce == nil {
			continue
		}
		data, err := kind.announce(&a, f)
		if err != nil {
			return lease.Attrs{}, err
		}
		a.attrs.Data = a.attrs.Data.With(f, data)
	}
	return a.attrs, nil
}

// lacksSubnet says that this host's lease has no subnet of family f.
func lacksSubnet(f netconf.Family) error {
	return fmt.Errorf("the network has an %s range, but this host's lease has no %s subnet; the agent is acquiring one (Kubernetes: the node needs a PodCIDR of that family)", f, f)
}

// draining returns this host's draining subnets of family f.
func (in *Input) draining(f netconf.Family) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(in.Draining), func(p netip.Prefix) bool { return netconf.FamilyOf(p.Addr()) != f })
}

// tunnel is the device that end needs in family f.
func tunnel(in *Input, f netconf.Family, end end) (*vxlan.Tunnel, error) {
	subnet, ok := in.Self.Subnet(f)
	if !ok {
		return nil, lacksSubnet(f)
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
		Draining: in.draining(f),
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
	return backends[net.Backend.Type].largest(net, underlayMTU(net.Backend, facts))
}

// underlayMTU is what the uplink carries, or less if the config says so. More
// than the uplink carries would be refused by the kernel, or lost on the way.
func underlayMTU(b netconf.Backend, facts host.Facts) int {
	if mtu := backends[b.Type].mtu; mtu != nil && mtu(b) > 0 {
		return min(mtu(b), facts.Uplink.MTU)
	}
	return facts.Uplink.MTU
}

// LinkNames returns the names of the devices that net's backend needs, each once.
func LinkNames(net netconf.Network) []string {
	var names []string
	device := backends[net.Backend.Type].device
	for _, r := range net.Ranges {
		if device == nil {
			break
		}
		if name := device(net.Backend, r.Family()); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
