package explain

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/api"
)

// Kind is what an address is to this host.
type Kind string

// The kinds of ends.
const (
	ThisHost   Kind = "host"       // an address of this host itself
	Container  Kind = "container"  // in this host's subnet
	PeerSubnet Kind = "peer"       // in a peer's subnet
	PeerHost   Kind = "peerHost"   // the address that a peer advertises
	Unassigned Kind = "unassigned" // in the network, but in no lease
	Outside    Kind = "outside"
)

func (k Kind) local() bool { return k == ThisHost || k == Container }

func (t *trace) place(a netip.Addr) End {
	e := End{Addr: a, Kind: Outside}
	holds := func(p netip.Prefix) bool {
		if p.Contains(a) {
			e.Subnet = p
		}
		return p.Contains(a)
	}
	s := &t.Status
	switch {
	case t.Kernel.Owner(a) != "":
		e.Kind, e.Host = ThisHost, s.Hostname
		return e
	case slices.ContainsFunc(s.Lease.Subnets, holds), slices.ContainsFunc(s.Lease.Draining, holds):
		e.Kind, e.Host = Container, s.Hostname
		return e
	}
	for _, p := range s.Peers {
		switch {
		case slices.ContainsFunc(p.Subnets, holds):
			e.Kind, e.Host = PeerSubnet, peerName(p)
			return e
		case slices.Contains(p.Public, a):
			e.Kind, e.Host = PeerHost, peerName(p)
			return e
		}
	}
	if slices.ContainsFunc(s.Network, func(n netip.Prefix) bool { return n.Contains(a) }) {
		e.Kind = Unassigned
	}
	return e
}

// peer returns the peer that an end is of.
func (t *trace) peer(e End) (api.Peer, bool) {
	i := slices.IndexFunc(t.Status.Peers, func(p api.Peer) bool {
		return slices.Contains(p.Public, e.Addr) || slices.ContainsFunc(p.Subnets, func(s netip.Prefix) bool { return s.Contains(e.Addr) })
	})
	if i < 0 {
		return api.Peer{}, false
	}
	return t.Status.Peers[i], true
}

func peerName(p api.Peer) string {
	if p.Name != "" {
		return p.Name
	}
	return join(p.Public)
}

func join[T interface{ String() string }](list []T) string {
	var out []string
	for _, one := range list {
		out = append(out, one.String())
	}
	return strings.Join(out, ", ")
}
