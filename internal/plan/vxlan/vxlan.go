// Package vxlan says which network objects a VXLAN tunnel consists of, wire
// and name compatible with flannel: one device a family, whose address is the
// subnet's network address, and for each peer a route, a neighbour and an FDB
// entry. It is pure and knows nothing of leases or stores.
package vxlan

import (
	"crypto/sha256"
	"fmt"
	"net/netip"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/device"
)

// Tunnel is this host's end of the VXLAN network in one family.
type Tunnel struct {
	Name     string // of the device
	Conf     netconf.VXLAN
	Family   netconf.Family // of the overlay and the underlay alike
	Subnet   netip.Prefix   // this host's
	Draining []netip.Prefix // its draining subnets, whose network addresses it still has
	MAC      netstate.MAC
	Local    netip.Addr // the uplink's address
	Dev      string     // the uplink
	VRF      string     // that the uplink belongs to; "": none
	MTU      int        // of the device, bytes

	AllStrict bool // the host's net.ipv4.conf.all.rp_filter is 1
}

// Overhead is what the encapsulation adds to a packet, in bytes: outer IP
// header, UDP (8), VXLAN (8) and inner Ethernet (14); RFC 7348, section 5.
func Overhead(f netconf.Family) int {
	if f == netconf.V6 {
		return 40 + 8 + 8 + 14
	}
	return 20 + 8 + 8 + 14
}

// DeriveMAC returns the address of the tunnel device for a host known by
// seed: the same at every start, unicast and locally administered.
func DeriveMAC(seed string, f netconf.Family, vni uint32) netstate.MAC {
	sum := sha256.Sum256(fmt.Appendf(nil, "weft vtep %s %s %d", seed, f, vni))
	mac := netstate.MAC(sum[:6])
	mac[0] = mac[0]&^1 | 2
	return mac
}

// Receive adds to s what the host needs to be reached through the tunnel.
func (t *Tunnel) Receive(s *netstate.Builder) {
	s.Links = append(s.Links, netstate.Link{
		Name:     t.Name,
		Kind:     netstate.KindVXLAN,
		VNI:      t.Conf.VNI,
		Local:    t.Local,
		Dev:      t.Dev,
		VRF:      t.VRF,
		Port:     t.Conf.Port,
		Learning: t.Conf.Learning,
		GBP:      t.Conf.GBP,
		MTU:      t.MTU,
		MAC:      t.MAC,
		Up:       true,
	})
	device.Receive(s, t.Name, t.Family, append([]netip.Prefix{t.Subnet}, t.Draining...), t.AllStrict)
}

// Packets returns what the host needs to put packets for subnet into frames for
// mac, the tunnel device of subnet's host.
func (t *Tunnel) Packets(subnet netip.Prefix, mac netstate.MAC) (netstate.Neigh, netstate.Route) {
	gateway := subnet.Masked().Addr()
	return netstate.Neigh{Addr: gateway, MAC: mac, Dev: t.Name},
		netstate.Route{Dst: subnet, Via: gateway, Dev: t.Name, OnLink: true}
}

// Frames returns what the host needs to carry frames for mac to the host at
// remote.
func (t *Tunnel) Frames(mac netstate.MAC, remote netip.Addr) netstate.FDB {
	return netstate.FDB{MAC: mac, Dst: remote, Dev: t.Name}
}
