package plan

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/vxlan"
)

// Kind is how packets to a peer travel.
type Kind string

// The kinds of path.
const (
	Direct    Kind = "direct" // through the peer's address in a directly connected subnet
	Tunnelled Kind = "vxlan"
)

// Path is how packets to one subnet of a peer travel.
type Path struct {
	Kind   Kind
	Via    netip.Addr   // the route's gateway
	Dev    string       // the device packets leave by
	Remote netip.Addr   // the peer's public address
	MAC    netstate.MAC // the peer's tunnel device; zero if there is no tunnel to it
	VNI    uint32       // of the tunnel, if there is one
	OnLink bool         // the kernel must be told that Via is on-link; Direct only
	MTU    int          // bytes: the largest packet that probes have shown to pass; 0: the network's MTU

	Instead bool // of the direct path, which is lost; Tunnelled only
}

// HasTunnel reports whether packets could travel in a tunnel: frames to the
// peer's device are carried to it, also while its packets go directly.
func (p Path) HasTunnel() bool { return p.MAC != netstate.MAC{} }

// tunnelled returns the path to subnet in place of p, which has a tunnel.
func (p Path) tunnelled(subnet netip.Prefix) Path {
	return Path{Kind: Tunnelled, Via: subnet.Addr(), Remote: p.Remote, MAC: p.MAC, VNI: p.VNI, Instead: true}
}

// PathTo returns how packets to p's subnet of family f travel, or why they
// cannot. It looks at p alone; conflicts between peers are Build's affair.
func PathTo(in Input, p lease.Lease, f netconf.Family) (Path, error) {
	path, err := pathTo(&in, &p, f)
	if err != nil {
		return path, err
	}
	subnet, _ := p.Subnet(f)
	return in.complete(f, in.proven(&p, f).choose(path, subnet)), nil
}

// PathsTo returns all paths by which packets to p's subnet of family f may
// travel, the preferred one first, whatever probes say, or why there is none.
func PathsTo(in Input, p lease.Lease, f netconf.Family) ([]Path, error) {
	path, err := pathTo(&in, &p, f)
	if err != nil {
		return nil, err
	}
	paths := []Path{in.complete(f, path)}
	if path.Kind == Direct && path.HasTunnel() {
		subnet, _ := p.Subnet(f)
		paths = append(paths, in.complete(f, path.tunnelled(subnet)))
	}
	return paths, nil
}

// complete returns path with the name of its device.
func (in *Input) complete(f netconf.Family, path Path) Path {
	if path.Kind == Tunnelled {
		path.Dev = in.sendsBy(f, path.VNI)
	}
	return path
}

// pathTo is the one place where a path is chosen before probes have a say, from
// the config, the host's facts and the peer's lease. A peer is sent to by what it
// announces, whatever the config says now, so that hosts may change over in any
// order. Of a tunnelled path Dev is left out, which follows from VNI.
func pathTo(in *Input, p *lease.Lease, f netconf.Family) (Path, error) {
	remote, ok := p.PublicAddr(f)
	if !ok {
		return Path{}, fmt.Errorf("announces no public %s address; %s", f, anew(p))
	}
	if slices.Contains(in.Self.Public, remote) || slices.Contains(in.Host.Uplink.Addrs, remote) {
		return Path{}, fmt.Errorf("announces this host's own address %s; give one of the hosts another; %s", remote, ifGone(p))
	}
	near := onLink(in.Host.Uplink.OnLink, remote)
	switch {
	case p.Backend != HostGW && p.Backend != VXLAN:
		return Path{}, fmt.Errorf("announces backend %q, which is unsupported; switch its host to vxlan or host-gw; %s", p.Backend, ifGone(p))
	case near && (p.Backend == HostGW || in.direct()):
		direct := Path{Kind: Direct, Via: remote, Dev: in.Host.Uplink.Name, Remote: remote, OnLink: onLink(in.Host.Uplink.ByFlag, remote)}
		if p.Backend == VXLAN && in.Net.Backend.Type == VXLAN {
			t, _ := tunnelTo(in, p, f, remote) // one that is announced wrongly is none
			direct.MAC, direct.VNI = t.MAC, t.VNI
		}
		return direct, nil
	case p.Backend == HostGW && in.Host.Uplink.VRF != "":
		return Path{}, fmt.Errorf("announces host-gw, which this host does not support: its uplink %s belongs to VRF %s; use vxlan without DirectRouting", in.Host.Uplink.Name, in.Host.Uplink.VRF)
	case p.Backend == HostGW:
		return Path{}, fmt.Errorf("its address %s is not in a directly connected subnet of %s, and it announces host-gw, which cannot cross a router; use vxlan with DirectRouting", remote, in.Host.Uplink.Name)
	}
	return tunnelTo(in, p, f, remote)
}

// direct reports whether the config wants the direct path to those on the
// same segment. Every host takes in what comes that way.
func (in *Input) direct() bool {
	return in.Net.Backend.Type == HostGW || in.Net.Backend.VXLAN.DirectRouting
}

// speaks reports whether this host has, or still has, a tunnel with vni.
func (in *Input) speaks(vni uint32) bool {
	if in.Net.Backend.Type == VXLAN && in.Net.Backend.VXLAN.VNI == vni {
		return true
	}
	return slices.ContainsFunc(in.Former, func(f Former) bool {
		return f.Backend.Type == VXLAN && f.Backend.VXLAN.VNI == vni
	})
}

// SamePaths reports whether packets to a peer that stays as it is take the same
// kind of path by a as by b.
func SamePaths(a, b *Input) bool {
	sameBackend := func(x, y Former) bool { return x.Backend == y.Backend }
	return a.Net.Backend == b.Net.Backend && slices.EqualFunc(a.Former, b.Former, sameBackend) &&
		slices.Equal(a.Self.Public, b.Self.Public) && reflect.DeepEqual(a.Host.Uplink, b.Host.Uplink)
}

func tunnelTo(in *Input, p *lease.Lease, f netconf.Family, remote netip.Addr) (Path, error) {
	data, err := vxlan.ParseData(p.Data.Of(f))
	if err != nil {
		return Path{}, fmt.Errorf("%w; %s", err, anew(p))
	}
	if !in.speaks(data.VNI) {
		return Path{}, fmt.Errorf("announces vxlan with VNI %d, which the network's config (%s) does not have; see why its agent has not switched, or restart its flanneld; %s", data.VNI, in.Net.Backend, ifGone(p))
	}
	subnet, _ := p.Subnet(f)
	return Path{Kind: Tunnelled, Via: subnet.Addr(), Remote: remote, MAC: data.MAC, VNI: data.VNI}, nil
}

func onLink(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}
