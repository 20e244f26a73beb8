package plan

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

// Kind is how packets to a peer travel.
type Kind string

// The kinds of path.
const (
	Direct    Kind = "direct" // through the peer's address in a directly connected subnet
	Tunnelled Kind = "vxlan"
	Encrypted Kind = "wireguard"
	InIPIP    Kind = "ipip"
	Elsewhere Kind = "alloc" // by what others have set up: weft has nothing to do with it
)

// Path is how packets to one subnet of a peer travel.
type Path struct {
	Kind   Kind
	Via    netip.Addr     // the route's gateway
	Dev    string         // the device packets leave by
	Remote netip.Addr     // the peer's public address
	MAC    netstate.MAC   // the peer's tunnel device; zero if there is no tunnel to it
	VNI    uint32         // of the tunnel, if there is one
	Key    netstate.WGKey // the peer's public one; Encrypted only
	OnLink bool           // the kernel must be told that Via is on-link; Direct only
	MTU    int            // bytes: the largest packet that probes have shown to pass; 0: the network's MTU

	Beside  Kind // the tunnel in which packets could travel as well; Direct only
	Instead bool // of the direct path, which is lost
}

// HasTunnel reports whether frames to the peer's device are carried to it, also
// while its packets go directly.
func (p Path) HasTunnel() bool { return p.MAC != netstate.MAC{} }

// tunnelled returns the path to subnet in place of p, which has a tunnel beside it.
func (p Path) tunnelled(in *Input, subnet netip.Prefix) Path {
	if p.Beside != Tunnelled {
		return Path{Kind: p.Beside, Via: p.Remote, Dev: in.routedDevice(p.Beside, subnet), Remote: p.Remote, Instead: true}
	}
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
	return in.complete(f, in.proven(&p, f).choose(&in, path, subnet)), nil
}

// PathsTo returns all paths by which packets to p's subnet of family f may
// travel, the preferred one first, whatever probes say, or why there is none.
func PathsTo(in Input, p lease.Lease, f netconf.Family) ([]Path, error) {
	path, err := pathTo(&in, &p, f)
	if err != nil {
		return nil, err
	}
	paths := []Path{in.complete(f, path)}
	if path.Kind == Direct && path.Beside != "" {
		subnet, _ := p.Subnet(f)
		paths = append(paths, in.complete(f, path.tunnelled(&in, subnet)))
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
	kind, known := in.announcedBy(p.Backend)
	switch {
	case !known:
		if _, err := in.remote(p, f); err != nil {
			return Path{}, err
		}
		return Path{}, fmt.Errorf("announces backend %q, which is unsupported; switch its host to vxlan or host-gw; %s", p.Backend, ifGone(p))
	case in.Net.Strict() && p.Backend != WireGuard:
		return Path{}, fmt.Errorf("announces %s, and the network's config is Strict: packets to it are dropped until its host has switched to wireguard; %s", p.Backend, ifGone(p))
	}
	return kind.pathTo(in, p, f)
}

// remote returns the public address of p in family f.
func (in *Input) remote(p *lease.Lease, f netconf.Family) (netip.Addr, error) {
	remote, ok := p.PublicAddr(f)
	if !ok {
		return remote, fmt.Errorf("announces no public %s address; %s", f, anew(p))
	}
	if in.isOwn(remote) {
		return remote, ownAddress(p, remote)
	}
	return remote, nil
}

// isOwn reports whether a is this host's address.
func (in *Input) isOwn(a netip.Addr) bool {
	return slices.Contains(in.Self.Public, a) || slices.Contains(in.Host.Uplink.Addrs, a)
}

func ownAddress(p *lease.Lease, a netip.Addr) error {
	return fmt.Errorf("announces this host's own address %s; give one of the hosts another; %s", a, ifGone(p))
}

// directTo is the path to a host on this one's segment.
func (in *Input) directTo(remote netip.Addr) Path {
	return Path{Kind: Direct, Via: remote, Dev: in.Host.Uplink.Name, Remote: remote, OnLink: onLink(in.Host.Uplink.ByFlag, remote)}
}

// direct reports whether the config wants the direct path to those on the
// same segment. Every host takes in what comes that way.
func (in *Input) direct() bool {
	return in.Net.Backend.Type == HostGW || in.Net.Backend.DirectRouting()
}

// SamePaths reports whether packets to a peer that stays as it is take the same
// kind of path by a as by b.
func SamePaths(a, b *Input) bool {
	sameBackend := func(x, y Former) bool { return x.Backend == y.Backend }
	return a.Net.Backend == b.Net.Backend && slices.EqualFunc(a.Former, b.Former, sameBackend) &&
		slices.Equal(a.Self.Public, b.Self.Public) && reflect.DeepEqual(a.Host.Uplink, b.Host.Uplink)
}

func onLink(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}
