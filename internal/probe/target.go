package probe

import (
	"net/netip"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
)

// Target says how an echo request travels to a peer by one path.
type Target struct {
	Family netconf.Family
	Kind   plan.Kind
	InUse  bool       // the kernel routes packets to the peer by this path
	Source netip.Addr // one of this host's
	Dest   netip.Addr // one that the peer's host has anyway
	Remote netip.Addr // the peer's public address
	Beside bool       // there is another path, by which the peer's host may send

	// Of a path that is not in use, and therefore has no route:
	Dev string       // the device that the frame leaves by
	MAC netstate.MAC // whom it is for; zero: the neighbour with the address Remote

	Carrier uint8 // protocol of the IPv4 packet to Remote that carries the request; 0: none

	VRF string // that routes are looked up in; "": the main one
}

// sameWay reports whether what is known of t holds for o: it says nothing of
// which path is in use.
func (t Target) sameWay(o Target) bool {
	t.InUse = o.InUse
	return t == o
}

// Targets returns how the paths to l's subnet of family f are probed, the
// preferred path first; none if packets cannot travel there.
//
// A host with a tunnel device has the first address of its subnet, with weft
// as with flannel. Other hosts are asked at their public address.
func Targets(in *plan.Input, l *lease.Lease, f netconf.Family) []Target {
	used, err := plan.PathTo(*in, *l, f)
	if err != nil {
		return nil
	}
	paths, err := plan.PathsTo(*in, *l, f)
	if err != nil {
		return nil
	}
	source, ok := sourceTo(in, l, f)
	subnet, leased := l.Subnet(f)
	if !ok || !leased {
		return nil
	}
	out := make([]Target, 0, len(paths))
	for _, p := range paths {
		if p.Kind == plan.Elsewhere { // what carries packets there is not known, nor who answers
			continue
		}
		t := Target{
			Family: f, Kind: p.Kind, InUse: p.Kind == used.Kind, Source: source, Dest: p.Remote, Remote: p.Remote,
			Beside: len(paths) > 1, Dev: p.Dev, VRF: in.Host.Uplink.VRF,
		}
		if p.Kind == plan.Tunnelled {
			t.MAC = p.MAC
		}
		t.Carrier = p.Kind.Carrier()
		if len(plan.TunnelsOf(l.Attrs)) > 0 {
			t.Dest = subnet.Addr()
		}
		out = append(out, t)
	}
	return out
}

// sourceTo returns the address of this host that the peer routes answers to by
// the path that its packets take.
func sourceTo(in *plan.Input, l *lease.Lease, f netconf.Family) (netip.Addr, bool) {
	own, leased := in.Self.Subnet(f)
	if leased && len(plan.TunnelsOf(l.Attrs)) > 0 && hasTunnel(in) {
		return own.Addr(), true
	}
	for _, a := range in.Host.Uplink.Addrs {
		if netconf.FamilyOf(a) == f {
			return a, true
		}
	}
	return netip.Addr{}, false
}

func hasTunnel(in *plan.Input) bool {
	for _, former := range in.Former {
		if _, ok := plan.TunnelOf(former.Backend); ok {
			return true
		}
	}
	_, ok := plan.TunnelOf(in.Net.Backend)
	return ok
}
