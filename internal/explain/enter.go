package explain

import (
	"fmt"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netdump"
	"github.com/weft-net/weft/internal/netstate"
)

// enter follows the packet up to where this host begins to route it.
func (t *trace) enter() bool {
	switch t.out.Source.Kind {
	case ThisHost:
		return t.fromHost()
	case Container:
		return t.fromContainer()
	}
	return t.fromElsewhere()
}

func (t *trace) fromHost() bool {
	dev := t.Kernel.Owner(t.packet.src)
	l, _ := t.Kernel.Link(dev)
	if !l.Up {
		return t.broken("source", fmt.Sprintf("%s dev %s", t.packet.src, dev), "the device is down", "ip link set "+dev+" up")
	}
	return t.add(Station{Name: "source", Object: fmt.Sprintf("%s dev %s", t.packet.src, dev), Note: "this host itself sends"})
}

// fromContainer finds the device by which a container's packets arrive: the one by which
// it is reached.
func (t *trace) fromContainer() bool {
	a, ok := t.ask(netdump.Question{Dst: t.packet.src})
	dev := a.Hop().Dev
	switch {
	case !ok:
		return false
	case a.Refused != "" || t.leadsOut(dev):
		return t.broken("source", t.packet.src.String(), "no device of this host leads to a container with this address",
			"check that the container runs and which address it has, and that its runtime uses this host's subnet ("+join(t.Status.Lease.Subnets)+")")
	}
	t.packet.in = dev
	l, _ := t.Kernel.Link(dev)
	source := t.add(Station{Name: "source", Object: l.String(), Note: "containers with " + a.Dst.String() + " are behind it"})
	return source && t.neighbour("source neighbour", dev, t.packet.src) && t.admits(dev)
}

// fromElsewhere follows the packet of a peer, or of any other host, up to this host.
func (t *trace) fromElsewhere() bool {
	peer, isPeer := t.peer(t.out.Source)
	if t.out.Source.Kind == Unassigned {
		return t.broken("source", t.packet.src.String(), "no host has a lease for this address", leaseRemedy)
	}
	if isPeer && !t.peerStation("source", peer) {
		return false
	}
	dev, ok := t.wayBack()
	if !ok {
		return false
	}
	t.packet.in = dev
	switch l, _ := t.Kernel.Link(dev); l.Kind {
	case netstate.KindVXLAN, netstate.KindIPIP:
		return t.arrives(l, peer) && t.admits(dev)
	case netstate.KindWireGuard:
		return t.decrypted(l, peer) && t.admits(dev)
	}
	return t.admits(dev)
}

// wayBack returns the device by which the source is reached, by the plan if it has a route:
// the peer sends by what this host announces.
func (t *trace) wayBack() (dev string, ok bool) {
	if r, planned := t.planned(t.packet.src); planned {
		return r.Dev, true
	}
	a, ok := t.ask(netdump.Question{Dst: t.packet.src})
	if ok && a.Refused != "" {
		return "", t.broken("way back", t.packet.src.String(), a.Refused, t.restore())
	}
	return a.Hop().Dev, ok
}

// arrives follows the tunnelled packet of a peer up to the tunnel device.
func (t *trace) arrives(l netdump.Link, peer api.Peer) bool {
	outer := packet{dst: l.Local, proto: carrier(l), port: l.Port, in: l.Lower, local: true}
	if outer.in == "" {
		outer.in = t.Status.Uplink.Name
	}
	for _, a := range peer.Public {
		if a.Is4() == l.Local.Is4() {
			outer.src = a
		}
	}
	if outer.src.IsValid() {
		for _, hook := range []string{"ingress", "prerouting", "input"} {
			if _, passes := t.hook(hook, "underlay "+hook, outer); !passes {
				return false
			}
		}
	}
	return t.device("tunnel", l.Name)
}

// leadsOut reports whether containers cannot be behind a device.
func (t *trace) leadsOut(dev string) bool {
	l, _ := t.Kernel.Link(dev)
	return dev == "" || dev == t.Status.Uplink.Name || tunnel(l) || l.Kind == netstate.KindWireGuard
}

// admits tells whether the host forwards what arrives by a device. For IPv6 the parameter
// of all devices decides, for IPv4 that of the device.
func (t *trace) admits(dev string) bool {
	if t.place(t.packet.dst).Kind == ThisHost {
		return true // it is not forwarded
	}
	f := netconf.FamilyOf(t.packet.dst)
	all := host.Forwarding(f)
	name := f.Conf(dev, "forwarding")
	if f == netconf.V6 || t.Kernel.Params[all] == "0" && t.Kernel.Params[name] != "1" {
		name = all
	}
	value, known := t.Kernel.Params[name]
	switch {
	case !known:
		return t.add(Station{Name: "forwarding", Object: name, State: Unknown, Note: "the parameter is not known"})
	case value == "0" && name == all:
		return t.broken("forwarding", name+"=0", "this host does not forward packets", "sysctl -w "+name+"=1")
	case value == "0":
		return t.broken("forwarding", name+"=0", "this host does not forward packets that arrive by "+dev, "sysctl -w "+name+"=1")
	}
	return t.add(Station{Name: "forwarding", Object: name + "=" + value})
}

const leaseRemedy = "'weft lease list' shows who has which subnet; the host's agent must run and hold a lease"

// Arrival returns the stations of what a peer sends by the tunnels of the plan, up to where
// they arrive; none if the plan has no tunnel for it.
func Arrival(f Facts, peer api.Peer) []Station {
	if f.Plan == nil {
		return nil
	}
	t := &trace{Facts: f}
	for l := range f.Plan.Links.All() {
		own, found := f.Kernel.Link(l.Name)
		if !found {
			own = netdump.Link{Name: l.Name, Kind: l.Kind, Lower: l.Dev, Local: l.Local, Port: l.Port}
		}
		if tunnel(own) && !t.arrives(own, peer) {
			break
		}
	}
	return t.out.Stations
}
