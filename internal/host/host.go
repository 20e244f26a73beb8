// Package host turns the system's interfaces, addresses and routes into
// the facts that planning needs: the uplink, its addresses, what is
// on-link to it. It decides, it does not look: reading the system is
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
	// Routing returns the policy rules, and of the tables that they name the routes
	// that say how other hosts are reached: the default routes, those without a
	// gateway, those that lead to a part of a destination of these, in other tables
	// than main those that overlap one or a network of the overlay; and, if they are
	// not too many, the rest.
	Routing(ctx context.Context, overlay []netip.Prefix) (Routing, error)
	// RouteTo returns the route that packets to dst take, and the source address
	// that they get.
	RouteTo(ctx context.Context, dst netip.Addr) (Route, error)
	// Barriers returns the chains of other firewalls that can stop packets, sorted;
	// or ErrNoFirewall.
	Barriers(ctx context.Context) ([]Barrier, error)
	// Params returns the values of those of the named kernel parameters that can be
	// read.
	Params(ctx context.Context, names []string) (Params, error)
	// FastPath returns what there is of a way for packets past the kernel's own.
	FastPath(ctx context.Context) (FastPath, error)
}

// Interface is a network interface of this host.
type Interface struct {
	Name     string
	Index    int
	MTU      int // bytes
	Up       bool
	Carrier  bool // of a bridge: one of its ports is up
	Loopback bool
	Tunnel   bool // a vxlan device, of this agent or another
	Overlay  bool // a device of an overlay network, by its name: weft's or flannel's
	Local    bool // only containers of this host are behind it: a dummy, or a bridge whose ports all lead to containers
	MAC      net.HardwareAddr
	Addrs    []Addr
	VRF      string // that it belongs to; "": none
	Table    uint32 // of that VRF
}

// Addr is an address of an interface.
type Addr struct {
	netip.Prefix      // not masked: the host's own address and the connected prefix's length
	LinkLocal    bool // scope link
	Dynamic      bool // has a lifetime (DHCP, SLAAC)
	Secondary    bool // IPv4: another address of the same prefix came first
	Temporary    bool // IPv6 privacy address
	Deprecated   bool // IPv6, or not usable yet: deprecated, tentative, dadfailed
}

// Route is a route of this host, or one of the ways that a multipath route leads.
type Route struct {
	Dst     netip.Prefix // masked; of length 0: a default route
	Dev     string       // "": Dst is not reached by any
	Gateway netip.Addr   // none: Dst is on-link
	Src     netip.Addr   // source address that packets get, if the route names one
	Metric  uint32
	Advert  bool // learned from an IPv6 router advertisement
	Table   uint32
	Wide    bool // IPv4: its scope is wider than link, so that the kernel takes no address in Dst for a gateway
	Throw   bool // it leaves the decision to the rules that follow; Dev is ""
}

// String returns the route as ip-route(8) lists it.
func (r Route) String() string {
	out := r.Dst.String()
	if r.Dst.Bits() == 0 {
		out = "default"
	}
	if r.Gateway.IsValid() {
		out += " via " + r.Gateway.String()
	}
	if r.Dev == "" {
		return "unreachable " + out
	}
	return out + " dev " + r.Dev
}

// Family is that of the destination.
func (r Route) Family() netconf.Family { return netconf.FamilyOf(r.Dst.Addr()) }

// Facts is what planning knows about this host.
type Facts struct {
	Uplink Uplink
	Public []netip.Addr // announced to peers, one a family at most, v4 first
	Others []Other      // that could have been announced instead; for status alone

	Attached []Attached // networks of the host's interfaces other than the uplink; sorted
	Adverts  []string   // interfaces that have a default route or an address from IPv6 router advertisements
	Bridges  []Bridge   // by which containers are reached
	Params   Params     // that decide whether packets pass; those of weft's own devices are not among them

	Barriers   []Barrier // chains of other firewalls that can stop packets, sorted
	NoFirewall string    // why the host's firewall can be neither read nor written; "": it can

	FastPath FastPath

	Diversions []Diversion // policy rules that take packets to containers away from weft's routes
}

// Other is an address of this host that peers could send to, but that was not
// chosen.
type Other struct {
	Addr netip.Addr
	Dev  string
}

// Bridge is an interface other than a tunnel that has addresses in the overlay.
// Whether it leads to containers of this host, its lease tells.
type Bridge struct {
	Name  string
	Addrs []netip.Addr // those in the overlay
	MTU   int          // of DockerBridge, in bytes: that of its containers; 0 while it has none
}

// DockerBridge is Docker's default bridge. Docker learns its address and MTU when it
// is started, so that they can differ from what this host's subnet requires.
const DockerBridge = "docker0"

// Uplink is the interface, with its addresses, through which peers are reached.
type Uplink struct {
	Name      string         // of the device that packets to peers leave by
	MTU       int            // bytes
	Addrs     []netip.Addr   // the chosen address, one a family at most, v4 first; on another device perhaps
	OnLink    []netip.Prefix // destinations routed through the uplink without a gateway; masked, sorted, none overlaps another
	ByFlag    []netip.Prefix // the part of OnLink where the kernel accepts gateways only with the flag onlink
	Unreached []Unreached    // addresses to which a tunnel's packets do not leave by the uplink
	VRF       string         // that it belongs to, "": none; what arrives there does not get to containers by itself
	Connected []netip.Prefix // prefixes that its addresses are in, on-link or not; masked, sorted
	Reason    string         // how it was chosen, for status: "default route", "--iface eth1"
}

// Options are an operator's settings for the uplink; the zero value means
// the interface of the default route.
type Options struct {
	Iface      []string       // names or addresses, in order of preference
	IfaceRegex []string       // matched against names and addresses, after Iface
	CanReach   netip.Addr     // the interface that reaches this address, after IfaceRegex
	Public     []netip.Addr   // announced addresses, one a family at most
	FastPath   netconf.Choice // whether facts about a fast path are wanted; open: as the network's config says
	Node       []netip.Addr   // by which the cluster knows this host: a default, before the default route
}
