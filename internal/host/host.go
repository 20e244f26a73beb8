// Package host turns the system's interfaces and addresses into
// the facts that planning needs: the uplink, its addresses, the prefixes
// connected to it. It decides, it does not look: reading the system is
// Source's part, which package kernel implements.
package host

import (
	"context"
	"net"
	"net/netip"

	"github.com/weft-net/weft/internal/netconf"
)

// Source reads the system.
type Source interface {
	// Interfaces returns all interfaces with their addresses, by index.
	Interfaces(ctx context.Context) ([]Interface, error)
	// DefaultRoutes returns the default routes of the main table, best metric first, v4 first.
	DefaultRoutes(ctx context.Context) ([]DefaultRoute, error)
	// RouteTo returns the name of the interface through which dst is reached.
	RouteTo(ctx context.Context, dst netip.Addr) (string, error)
	// Barriers returns the chains of other firewalls that can stop packets, sorted;
	// or ErrNoFirewall.
	Barriers(ctx context.Context) ([]Barrier, error)
}

// Interface is a network interface of this host.
type Interface struct {
	Name     string
	Index    int
	MTU      int // bytes
	Up       bool
	Loopback bool
	Tunnel   bool // a vxlan device, of this agent or another
	MAC      net.HardwareAddr
	Addrs    []Addr
}

// Addr is an address of an interface.
type Addr struct {
	netip.Prefix      // not masked: the host's own address and the connected prefix's length
	LinkLocal    bool // scope link
	Dynamic      bool // has a lifetime (DHCP, SLAAC)
	Temporary    bool // IPv6 privacy address
	Deprecated   bool // IPv6, or not usable yet: deprecated, tentative, dadfailed
}

// DefaultRoute is a default route of the main table.
type DefaultRoute struct {
	Family netconf.Family
	Dev    string
	Metric uint32
	Advert bool // learned from an IPv6 router advertisement
}

// Facts is what planning knows about this host.
type Facts struct {
	Uplink Uplink
	Public []netip.Addr // announced to peers, one a family at most, v4 first

	Barriers   []Barrier // chains of other firewalls that can stop packets, sorted
	NoFirewall string    // why the host's firewall can be neither read nor written; "": it can
}

// Uplink is the interface, with its addresses, through which peers are reached.
type Uplink struct {
	Name   string
	MTU    int            // bytes
	Addrs  []netip.Addr   // the chosen address, one a family at most, v4 first
	OnLink []netip.Prefix // all prefixes connected to the uplink, masked, sorted
	Advert bool           // its IPv6 default route comes from router advertisements
	Reason string         // how it was chosen, for status: "default route", "--iface eth1"
}

// Options are an operator's settings for the uplink; the zero value means
// the interface of the default route.
type Options struct {
	Iface      []string     // names or addresses, in order of preference
	IfaceRegex []string     // matched against names and addresses, after Iface
	CanReach   netip.Addr   // the interface that reaches this address, after IfaceRegex
	Public     []netip.Addr // announced addresses, one a family at most
}
