package plan

import (
	"encoding/json"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan/firewall"
)

// Names of the backends, as they stand in configs and leases.
const (
	VXLAN     = "vxlan"
	HostGW    = "host-gw"
	WireGuard = "wireguard"
	Alloc     = "alloc"
	IPIP      = "ipip"
)

// backends has what the planner knows of each backend, and is the one place that
// does: a new one is a package that says which rows it needs, a line here, and one
// in package netconf. What a backend leaves out it does not need.
var backends = map[string]backend{
	VXLAN:     vxlanBackend,
	HostGW:    hostGWBackend,
	WireGuard: wireguardBackend,
	Alloc:     allocBackend,
	IPIP:      ipipBackend,
}

// backend is what the planner asks of one.
type backend struct {
	// unnamed backends are not named by what hosts announce, as with flannel: a host that
	// names none announces the config's.
	unnamed bool

	// kind is the path of packets to those that announce it, unless they go directly.
	kind Kind

	// announce returns what a host says of itself in a family; nil: nothing.
	announce func(a *announcing, f netconf.Family) (json.RawMessage, error)

	// anyFamily reports whether the backend carries packets of one family by addresses
	// of another, so that a host needs no address of each.
	anyFamily func(b netconf.Backend) bool

	// overhead is what it adds to a packet of a family, in bytes.
	overhead func(f netconf.Family) int

	// mtu is what the config says that the underlay carries, in bytes; 0: nothing.
	mtu func(b netconf.Backend) int

	// device names the device that it needs in a family.
	device func(b netconf.Backend, f netconf.Family) string

	// follows reports whether what a host announces is as the config wants it.
	follows func(b netconf.Backend, data json.RawMessage) bool

	// tunnel says in which tunnel packets come to a host that announces data.
	tunnel func(data json.RawMessage) (Tunnel, bool)

	// carriers are the packets that carry those of the network, as firewalls see them.
	carriers func(b netconf.Backend) []firewall.Tunnel

	// end makes this host's end, announced as own says, of a tunnel for which a peer costs
	// nothing but a route.
	end func(in *Input, own Former, at place) (routed, error)

	// pathTo returns how packets to a host that announces this backend travel, before
	// probes have a say, or why they cannot.
	pathTo func(in *Input, p *lease.Lease, f netconf.Family) (Path, error)
}

// Tunnel tells the tunnels apart by which hosts announce to be reached.
type Tunnel struct {
	Backend string
	VNI     uint32 // of vxlan
}

// announcedBy returns the backend that a host announces by its name; false if it is none.
func (in *Input) announcedBy(name string) (backend, bool) {
	if configured := backends[in.Net.Backend.Type]; name == "" && configured.unnamed {
		return configured, true
	}
	b, ok := backends[name]
	return b, ok
}

// TunnelOf returns the tunnel of a config with backend b; false if it has none.
func TunnelOf(b netconf.Backend) (Tunnel, bool) {
	return Tunnel{b.Type, b.VXLAN.VNI}, backends[b.Type].tunnel != nil
}

// TunnelsOf returns the tunnels that a host with attrs announces, each once.
func TunnelsOf(attrs lease.Attrs) (out []Tunnel) {
	tunnel := backends[attrs.Backend].tunnel
	if tunnel == nil {
		return nil
	}
	for _, f := range netconf.Families {
		t, ok := tunnel(attrs.Data.Of(f))
		if ok && (len(out) == 0 || out[0] != t) {
			out = append(out, t)
		}
	}
	return out
}

// String is the backend in a few words, as netconf.Backend's.
func (t Tunnel) String() string {
	return netconf.Backend{Type: t.Backend, VXLAN: netconf.VXLAN{VNI: t.VNI}}.String()
}

// largest is the largest packet, in bytes, that fits through every path of the network
// where the underlay carries underlay bytes.
func (b backend) largest(net netconf.Network, underlay int) int {
	over := 0
	if b.overhead != nil {
		for _, r := range net.Ranges {
			over = max(over, b.overhead(r.Family()))
		}
	}
	return underlay - over
}
