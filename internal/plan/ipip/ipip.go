// Package ipip says which network objects a network of IPv4 in IPv4 (RFC 2003)
// consists of, wire and name compatible with flannel: one device, whose address is
// the subnet's network address, and for each peer a route through the peer's public
// address, which is where the device sends packets to. It is pure and knows nothing
// of leases or stores.
package ipip

import (
	"net/netip"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
	"github.com/weft-net/weft/internal/plan/device"
)

// Overhead is what the outer IPv4 header adds to a packet, in bytes.
const Overhead = 20

// Protocol is that of the outer header: IPv4.
const Protocol = 4

// Tunnel is this host's end of the network.
type Tunnel struct {
	Subnets   []netip.Prefix // this host's, draining ones too
	Local     netip.Addr     // the uplink's address
	MTU       int            // of the device, bytes
	AllStrict bool           // the host's net.ipv4.conf.all.rp_filter is 1
}

// Receive adds to s what the host needs to be reached through the tunnel.
func (t *Tunnel) Receive(s *netstate.Builder) {
	s.Links = append(s.Links, netstate.Link{Name: owned.IPIP, Kind: netstate.KindIPIP, Local: t.Local, MTU: t.MTU, Up: true})
	device.Receive(s, owned.IPIP, netconf.V4, t.Subnets, t.AllStrict)
}

// Route sends packets for subnet to the host at remote.
func (t *Tunnel) Route(subnet netip.Prefix, remote netip.Addr) netstate.Route {
	return netstate.Route{Dst: subnet, Via: remote, Dev: owned.IPIP, OnLink: true}
}
