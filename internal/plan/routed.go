package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/firewall"
)

// routed is this host's end of a tunnel that sends packets to the gateway of their
// route: a peer costs a route through its public address, and nothing else.
type routed interface {
	Receive(s *netstate.Builder)
	Route(subnet netip.Prefix, remote netip.Addr) netstate.Route
}

// place is where on this host an end is.
type place struct {
	family  netconf.Family
	subnets []netip.Prefix // this host's of the family, draining ones too
	local   netip.Addr     // the uplink's address
	mtu     int            // of the underlay, bytes
}

// announcements are the present one of this host, first, and those that peers may
// still go by.
func (in *Input) announcements() []Former {
	return append([]Former{{Backend: in.Net.Backend, Attrs: in.Self.Attrs, Spare: in.Spare}}, in.Former...)
}

// receiveRouted adds what the host needs to be reached by tunnels of routes, as it
// announces and as it announced before.
func (b *basis) receiveRouted(s *netstate.Builder) {
	for _, r := range b.in.Net.Ranges {
		f := r.Family()
		b.routed[f] = map[Kind]routed{}
		for i, own := range b.in.announcements() {
			kind := backends[own.Backend.Type]
			if kind.end == nil || b.routed[f][kind.kind] != nil {
				continue
			}
			end, err := b.routedEnd(kind, own, f)
			switch {
			case err == nil:
				end.Receive(s)
				b.routed[f][kind.kind] = end
				b.carriers[f] = append(b.carriers[f], kind.carriers(own.Backend)...)
			case i == 0:
				b.problems = append(b.problems, Problem{Subject: "this host", Err: err})
			}
		}
	}
}

func (b *basis) routedEnd(kind backend, own Former, f netconf.Family) (routed, error) {
	subnet, ok := b.in.Self.Subnet(f)
	if !ok {
		return nil, lacksSubnet(f)
	}
	u := b.in.Host.Uplink
	i := slices.IndexFunc(u.Addrs, netconf.Of(f))
	if i < 0 {
		return nil, fmt.Errorf("uplink %s has no %s address; give it one, or name another interface with --iface", u.Name, f)
	}
	return kind.end(b.in, own, place{f, append([]netip.Prefix{subnet}, b.in.draining(f)...), u.Addrs[i], underlayMTU(own.Backend, b.in.Host)})
}

// has reports whether this host has, or still has, an end of the backend's tunnels. It is asked
// for each peer, so it makes no list.
func (in *Input) has(backend string) bool {
	return in.Net.Backend.Type == backend || slices.ContainsFunc(in.Former, func(a Former) bool { return a.Backend.Type == backend })
}

// routedTo returns the path to p, which announces a tunnel of routes: by the tunnel, or
// directly where the config says so.
func (in *Input) routedTo(p *lease.Lease, f netconf.Family, tunnel Path) (Path, error) {
	remote, err := in.remote(p, f)
	if err != nil {
		return Path{}, err
	}
	tunnel.Remote, tunnel.Via = remote, remote
	if in.direct() && onLink(in.Host.Uplink.OnLink, remote) {
		direct := in.directTo(remote)
		if in.Net.Backend.Type == p.Backend {
			direct.Beside = tunnel.Kind
		}
		return direct, nil
	}
	if !in.has(p.Backend) {
		return Path{}, fmt.Errorf("announces %s, which the network's config (%s) does not have; see why its agent has not switched, or restart its flanneld; %s", p.Backend, in.Net.Backend, ifGone(p))
	}
	return tunnel, nil
}

// routedDevice names the device of a tunnel of routes.
func (in *Input) routedDevice(kind Kind, subnet netip.Prefix) string {
	for _, a := range in.announcements() {
		if b := backends[a.Backend.Type]; b.kind == kind && b.device != nil {
			return b.device(a.Backend, netconf.FamilyOf(subnet.Addr()))
		}
	}
	return ""
}

// Carriers returns the packets in which those of a network with that config travel, as
// firewalls see them.
func Carriers(net netconf.Network) (out []firewall.Tunnel) {
	if carriers := backends[net.Backend.Type].carriers; carriers != nil {
		for _, t := range carriers(net.Backend) {
			if _, served := net.Range(t.Family); served {
				out = append(out, t)
			}
		}
	}
	return out
}
