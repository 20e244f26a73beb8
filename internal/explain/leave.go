package explain

import (
	"fmt"
	"net/netip"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netdump"
	"github.com/weft-net/weft/internal/netstate"
)

// leaves follows the packet to the next station on the link of a device.
func (t *trace) leaves(dev string, next netip.Addr) bool {
	l, _ := t.Kernel.Link(dev)
	switch l.Kind {
	case netstate.KindWireGuard:
		return t.device("tunnel", dev) && t.encrypted(l)
	case netstate.KindIPIP:
		return t.device("tunnel", dev) && t.underlay(l, next)
	}
	if l.Kind != netstate.KindVXLAN {
		return t.device("device", dev) && t.neighbour("neighbour", dev, next)
	}
	return t.device("tunnel", dev) && t.tunnelled(l, next)
}

// bridged follows a packet between two containers of one bridge, which this host does not
// route; false for any other.
func (t *trace) bridged() bool {
	l, _ := t.Kernel.Link(t.packet.in)
	if l.Kind != "bridge" || t.out.Source.Kind != Container || t.out.Destination.Kind != Container {
		return false
	}
	a, ok := t.ask(netdump.Question{Dst: t.packet.dst})
	if !ok || a.Hop().Dev != l.Name {
		return t.err != nil
	}
	t.add(Station{Name: "bridge", Object: l.String(), Note: "both containers are on it: the packet is not routed"})
	if t.neighbour("neighbour", l.Name, t.packet.dst) {
		t.arrived(l.Name)
	}
	return true
}

// device adds a device and compares a planned one with the plan.
func (t *trace) device(name, dev string) bool {
	l, found := t.Kernel.Link(dev)
	switch want, planned := t.plannedLink(dev); {
	case !found:
		return t.broken(name, dev, "there is no such device", t.restore())
	case planned && differs(l, want):
		return t.broken(name, l.String(), "not as planned: "+want.String(), t.restore())
	case planned && !l.Up:
		return t.broken(name, l.String(), "the device is down", t.restore())
	case !l.Up, !l.Carrier && l.Kind != "bridge":
		return t.broken(name, l.String(), "the device is down, or its cable is not connected", "ip link set "+dev+" up; check the cable")
	}
	return t.add(Station{Name: name, Object: l.String()})
}

// differs reports whether a device is not as planned, as far as it is a property of the
// link: the settings of WireGuard are none, see cipher.
func differs(l netdump.Link, want netstate.Link) bool {
	if l.Kind != want.Kind || l.Kind == netstate.KindWireGuard {
		return l.Kind != want.Kind
	}
	return l.VNI != want.VNI || l.Port != want.Port || l.Local != want.Local || want.MAC != (netstate.MAC{}) && l.MAC != want.MAC.String()
}

func (t *trace) plannedLink(dev string) (netstate.Link, bool) {
	if t.Plan == nil {
		return netstate.Link{}, false
	}
	return t.Plan.Links.Find(netstate.Link{Name: dev})
}

// neighbour adds the neighbour with an address that the kernel resolves itself.
func (t *trace) neighbour(name, dev string, addr netip.Addr) bool {
	l, _ := t.Kernel.Link(dev)
	if l.Loopback || l.NoARP {
		return true
	}
	n, found := t.Kernel.Neigh(dev, addr)
	switch {
	case !found:
		return t.add(Station{Name: name, Object: fmt.Sprintf("%s dev %s", addr, dev), State: Unknown, Note: "not resolved yet: nothing was sent to it lately"})
	case n.State == "failed", n.State == "incomplete":
		return t.broken(name, n.String(), "nobody on "+dev+" answers for this address", "check that its owner runs and is connected to "+dev)
	}
	return t.add(Station{Name: name, Object: n.String()})
}

// tunnelled follows the packet into the tunnel: the VTEP's neighbour, its forwarding
// entry, and the underlay.
func (t *trace) tunnelled(l netdump.Link, next netip.Addr) bool {
	n, found := t.Kernel.Neigh(l.Name, next)
	want, planned := t.plannedNeigh(l.Name, next)
	object := fmt.Sprintf("%s dev %s", next, l.Name)
	switch {
	case planned && !found:
		return t.broken("neighbour", object, "missing: "+want.String(), t.restore())
	case !found || n.MAC == "":
		return t.broken("neighbour", object, "there is none, so that no frame can be addressed", t.restore())
	case planned && n.MAC != want.MAC.String():
		return t.broken("neighbour", n.String(), "not as planned: "+want.String(), t.restore())
	}
	t.add(Station{Name: "neighbour", Object: n.String()})
	return t.entry(l, n.MAC)
}

func (t *trace) entry(l netdump.Link, mac string) bool {
	f, found := t.Kernel.Entry(l.Name, mac)
	want, planned := t.plannedEntry(l.Name, mac)
	object := fmt.Sprintf("%s dev %s", mac, l.Name)
	switch {
	case planned && !found:
		return t.broken("forwarding entry", object, "missing: "+want.String(), t.restore())
	case !found:
		return t.broken("forwarding entry", object, "there is none, so that it is not known which host the frame is for", t.restore())
	case planned && f.Dst != want.Dst:
		return t.broken("forwarding entry", f.String(), "not as planned: "+want.String(), t.restore())
	}
	t.add(Station{Name: "forwarding entry", Object: f.String()})
	return t.underlay(l, f.Dst)
}

func (t *trace) plannedNeigh(dev string, addr netip.Addr) (netstate.Neigh, bool) {
	if t.Plan == nil {
		return netstate.Neigh{}, false
	}
	return t.Plan.Neighs.Find(netstate.Neigh{Dev: dev, Addr: addr})
}

func (t *trace) plannedEntry(dev, mac string) (netstate.FDB, bool) {
	if t.Plan != nil {
		for f := range t.Plan.FDB.All() {
			if f.Dev == dev && f.MAC.String() == mac {
				return f, true
			}
		}
	}
	return netstate.FDB{}, false
}

// underlay follows the tunnelled packet to the peer's host.
func (t *trace) underlay(l netdump.Link, dst netip.Addr) bool {
	q := netdump.Question{Dst: dst, Src: l.Local, Out: l.Lower}
	a, ok := t.ask(q)
	if !ok {
		return false
	}
	if a.Refused != "" {
		return t.broken("underlay route", "to "+q.String(), a.Refused, "the host at "+dst.String()+" must be reached by "+l.Lower+": 'ip route get "+dst.String()+"'")
	}
	outer := packet{src: l.Local, dst: dst, proto: carrier(l), port: l.Port, out: a.Hop().Dev}
	t.add(Station{Name: "underlay route", Object: a.String()})
	for _, hook := range []string{"output", "postrouting", "egress"} {
		if _, passes := t.hook(hook, "underlay "+hook, outer); !passes {
			return false
		}
	}
	next := a.Hop().Via
	if !next.IsValid() {
		next = dst
	}
	return t.device("uplink", a.Hop().Dev) && t.neighbour("underlay neighbour", a.Hop().Dev, next)
}

// tunnel reports whether a device puts packets into others.
func tunnel(l netdump.Link) bool { return l.Kind == netstate.KindVXLAN || l.Kind == netstate.KindIPIP }

// carrier is the protocol of the packets that carry those of a tunnel.
func carrier(l netdump.Link) uint8 {
	if l.Kind == netstate.KindIPIP {
		return protoIPIP
	}
	return protoUDP
}

// arrived ends a way on which nothing is broken.
func (t *trace) arrived(dev string) {
	end := t.place(t.packet.dst)
	switch peer, isPeer := t.peer(end); {
	case isPeer:
		if t.peerStation("peer", peer) {
			t.lastProbe(peer)
		}
	case end.Kind == Container:
		t.add(Station{Name: "destination", Object: t.packet.dst.String(), Note: "a container of this host, behind " + dev})
	default:
		t.add(Station{Name: "destination", Object: t.packet.dst.String(), Note: "outside the network"})
	}
}

// peerStation adds what is known of a peer: its lease, and by which backend it is reached.
func (t *trace) peerStation(name string, p api.Peer) bool {
	object := fmt.Sprintf("%s lease %s advertised as %s", peerName(p), join(p.Subnets), join(p.Public))
	if p.Backend != "" {
		object += " with " + p.Backend
	}
	if p.Problem != "" {
		return t.add(Station{Name: name, Object: object, State: Unknown, Note: p.Problem})
	}
	return t.add(Station{Name: name, Object: object})
}
