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
	for _, subnet := range append([]netip.Prefix{t.Subnet}, t.Draining...) {
		addr := subnet.Masked().Addr()
		s.Addrs = append(s.Addrs, netstate.Addr{Prefix: netip.PrefixFrom(addr, addr.BitLen()), Dev: t.Name})
	}
	s.Sysctls = append(s.Sysctls, t.parameters()...)
}

// parameters returns the device's kernel parameters, which it would otherwise
// have from the host's "default" ones.
func (t *Tunnel) parameters() []netstate.Sysctl {
	name := func(key string) string { return t.Family.Conf(t.Name, key) }
	if t.Family == netconf.V6 {
		// Peers are known from their leases; nobody on the tunnel is a router to believe.
		return []netstate.Sysctl{{Name: name("accept_ra"), Value: "0"}, {Name: name("disable_ipv6"), Value: "0"}}
	}
	return []netstate.Sysctl{{Name: name("forwarding"), Value: "1"}, LooseFilter(t.Name, t.AllStrict)}
}

// LooseFilter wants no strict reverse-path filter on dev: a peer that is sent to
// directly may still send by the tunnel, and the other way round, so a packet's
// route back may lead by another device (2: loose, by any). The higher value of
// the device's and of all devices' counts, so that 0 is no obstacle unless all
// have 1 (allStrict); Documentation/networking/ip-sysctl.rst.
func LooseFilter(dev string, allStrict bool) netstate.Sysctl {
	want := netstate.Sysctl{Name: netconf.V4.Conf(dev, "rp_filter"), Value: "2", Unless: "0"}
	if allStrict {
		want.Unless = ""
	}
	return want
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
