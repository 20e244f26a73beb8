// Package wireguard says which network objects a WireGuard network consists of,
// wire and name compatible with flannel: one device a family, or one for both,
// whose addresses are the subnets' network addresses, and for each other host a
// peer of the device, what it may send, and a route for each of its subnets. Never one
// route for the whole network: a more specific one that something else has left
// would beat it, and packets would travel in clear. It is pure and knows nothing
// of leases or stores; no row that it makes has a secret.
package wireguard

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
	"github.com/weft-net/weft/internal/plan/device"
)

// Overhead is what the encapsulation adds to a packet, in bytes, at most: outer IPv6
// header (40), UDP (8), and of WireGuard type, index, counter and tag (32). It is the
// same for IPv4, so that a network has one MTU.
const Overhead = 40 + 8 + 32

// Device is this host's end of the network in one family.
type Device struct {
	Conf      netconf.WireGuard
	Family    netconf.Family // of the overlay
	Key       netstate.WGKey // this host's public one
	Port      uint16         // that it listens on
	Subnets   []netip.Prefix // this host's of the family, draining ones too
	MTU       int            // bytes
	AllStrict bool           // the host's net.ipv4.conf.all.rp_filter is 1
}

// Name returns the name of the device that carries the packets of a family.
func Name(mode netconf.Mode, f netconf.Family) string {
	if mode == netconf.Separate && f == netconf.V6 {
		return owned.WireGuardV6
	}
	return owned.WireGuard
}

// Port returns the port on which hosts listen that do not say.
func Port(conf netconf.WireGuard, f netconf.Family) uint16 {
	if conf.Mode == netconf.Separate && f == netconf.V6 {
		return conf.ListenPortV6
	}
	return conf.ListenPort
}

// Underlay returns the families by which packets of an overlay's family may travel,
// the preferred one first.
func Underlay(mode netconf.Mode, f netconf.Family) []netconf.Family {
	switch mode {
	case netconf.OnlyV4:
		return []netconf.Family{netconf.V4}
	case netconf.OnlyV6:
		return []netconf.Family{netconf.V6}
	case netconf.Auto:
		return []netconf.Family{netconf.V4, netconf.V6}
	}
	return []netconf.Family{f}
}

// Endpoint chooses where a host that announces the addresses theirs is reached from a
// host with the addresses ours, the zero Addr if nowhere. Of two that are possible it is
// IPv6 if both have one of the Internet there and the other host has none of IPv4.
func Endpoint(mode netconf.Mode, f netconf.Family, ours, theirs []netip.Addr) netip.Addr {
	var possible []netip.Addr
	for _, u := range Underlay(mode, f) {
		i, j := slices.IndexFunc(theirs, netconf.Of(u)), slices.IndexFunc(ours, netconf.Of(u))
		if i < 0 || j < 0 {
			continue
		}
		if u == netconf.V6 && len(possible) == 1 && possible[0].IsPrivate() && !theirs[i].IsPrivate() && !ours[j].IsPrivate() {
			return theirs[i]
		}
		possible = append(possible, theirs[i])
	}
	if len(possible) == 0 {
		return netip.Addr{}
	}
	return possible[0]
}

// Name is that of the device.
func (d *Device) Name() string { return Name(d.Conf.Mode, d.Family) }

// Receive adds to s what the host needs to be reached.
func (d *Device) Receive(s *netstate.Builder) {
	s.Links = append(s.Links, netstate.Link{
		Name: d.Name(), Kind: netstate.KindWireGuard, Port: d.Port, Key: d.Key, MTU: d.MTU, Up: true,
	})
	device.Receive(s, d.Name(), d.Family, d.Subnets, d.AllStrict)
}

// Peer is the host with a key at an endpoint.
func (d *Device) Peer(key netstate.WGKey, endpoint netip.AddrPort) netstate.Peer {
	return netstate.Peer{
		Dev: d.Name(), Key: key, Endpoint: endpoint, Keepalive: d.Conf.Keepalive, PSK: d.Conf.PSK.Fingerprint(),
	}
}

// Allow lets the host with a key send from subnet, and has packets to it encrypted for
// that host.
func (d *Device) Allow(subnet netip.Prefix, key netstate.WGKey) netstate.Allowed {
	return netstate.Allowed{Prefix: subnet, Key: key, Dev: d.Name()}
}

// Route sends packets for subnet into the device.
func (d *Device) Route(subnet netip.Prefix) netstate.Route {
	return netstate.Route{Dst: subnet, Dev: d.Name()}
}
