package host

import (
	"cmp"
	"net/netip"
	"slices"
)

// Attached is a network that an interface of this host is in: it has an address
// there, or a route leads to it without a gateway.
type Attached struct {
	Prefix netip.Prefix // masked, of more than one address
	Dev    string
	Local  bool // only containers of this host are in it, see Interface
}

func (a Attached) compare(o Attached) int {
	return cmp.Or(comparePrefixes(a.Prefix, o.Prefix), cmp.Compare(a.Dev, o.Dev))
}

// attached returns the networks of all interfaces that are up, but for the
// uplink, whose are in Uplink.Connected, and devices of overlay networks;
// sorted. A route through the uplink that no address explains may just as well
// have taken the place of one to a peer.
func attached(uplink string, ifaces []Interface, routes []Route) []Attached {
	var out []Attached
	for _, i := range ifaces {
		if !i.Up || i.Overlay || i.Name == uplink {
			continue
		}
		for _, a := range i.Addrs {
			if p := a.Masked(); isNetwork(p) {
				out = append(out, Attached{p, i.Name, i.Local})
			}
		}
		for _, r := range routes {
			if r.direct(i.Name) && !i.Loopback && isNetwork(r.Dst) {
				out = append(out, Attached{r.Dst, i.Name, i.Local})
			}
		}
	}
	slices.SortFunc(out, Attached.compare)
	return slices.Compact(out)
}

// isNetwork reports whether other hosts or containers can have addresses of p.
func isNetwork(p netip.Prefix) bool {
	a := p.Addr()
	return p.Bits() > 0 && !p.IsSingleIP() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast()
}

// Taken returns the networks of this host that subnets of network may collide
// with; sorted. One that network is a part of is none of them: whoever chose
// such a network wants its subnets routed ahead of the rest, and no subnet would
// be left otherwise. That holds for the uplink only if its addresses are
// elsewhere.
func (f Facts) Taken(network netip.Prefix) []Attached {
	var out []Attached
	for _, p := range f.Uplink.Connected {
		out = append(out, Attached{Prefix: p, Dev: f.Uplink.Name})
	}
	within := slices.ContainsFunc(f.Uplink.Addrs, network.Contains)
	out = slices.DeleteFunc(append(out, f.Attached...), func(a Attached) bool {
		wider := a.Prefix.Bits() < network.Bits() && (a.Dev != f.Uplink.Name || !within)
		return wider || !a.Prefix.Overlaps(network)
	})
	slices.SortFunc(out, Attached.compare)
	return slices.Compact(out)
}
