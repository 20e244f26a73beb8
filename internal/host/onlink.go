package host

import (
	"cmp"
	"net/netip"
	"slices"
)

// links returns the destinations that are on-link to i, v4 or v6 as src is: the
// kernel routes to them without a gateway, whoever asks, or for packets from src alone. byFlag
// are those where it must be told so to accept a gateway: it asks without an address of the sender,
// and for routes of scope link (fib_check_nh_v4_gw in net/ipv4/fib_semantics.c).
func (t *Routing) links(i Interface, src netip.Addr) (link, byFlag []netip.Prefix) {
	from := underlay(i, src)
	open := from
	open.src = netip.Prefix{}
	link = t.direct(i.Name, open, func(Route) bool { return true })
	link = union(link, t.direct(i.Name, from, func(Route) bool { return true }))
	byFlag = subtract(link, t.direct(i.Name, open, func(r Route) bool { return !r.Wide || r.Gateway.IsValid() }))
	slices.SortFunc(link, comparePrefixes)
	slices.SortFunc(byFlag, comparePrefixes)
	return link, byFlag
}

// direct returns the destinations that the packets of f reach through dev
// without a gateway, by the routes that count.
func (t *Routing) direct(dev string, f flow, counts func(Route) bool) (out []netip.Prefix) {
	for s := range t.lookup(f, every(f.family), settled) {
		if s.all {
			routes := slices.DeleteFunc(s.routes, func(r Route) bool { return !counts(r) })
			out = union(out, shared(onLink(dev, routes), s.dst))
		}
	}
	return out
}

// onLink returns the destinations that routes lead to through dev without a
// gateway, less what more specific or better routes lead to otherwise. A default
// route tells nothing about where hosts are.
func onLink(dev string, routes []Route) []netip.Prefix {
	var out []netip.Prefix
	for _, r := range byPrecedence(dev, routes) {
		if r.direct(dev) {
			out = with(out, r.Dst)
		} else {
			out = without(out, r.Dst)
		}
	}
	slices.SortFunc(out, comparePrefixes)
	return out
}

// byPrecedence sorts routes such that each goes before those that come earlier.
// Where two interfaces are on one link, both reach it.
func byPrecedence(dev string, routes []Route) []Route {
	direct := map[netip.Prefix]bool{}
	for _, r := range routes {
		if r.direct(dev) {
			direct[r.Dst] = true
		}
	}
	var out []Route
	for _, r := range routes {
		twin := r.Dev != "" && r.Dev != dev && !r.Gateway.IsValid() && direct[r.Dst]
		if r.Dst.Bits() > 0 && !twin {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Dst.Bits(), b.Dst.Bits()), cmp.Compare(b.Metric, a.Metric), less(!a.direct(dev), !b.direct(dev)))
	})
	return out
}

func (r Route) direct(dev string) bool { return r.Dev == dev && !r.Gateway.IsValid() }

// connected returns the prefixes that addresses of i are in: their own, and
// those to which a route leads without a gateway.
func connected(i Interface, routes []Route) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range i.Addrs {
		if a.Addr().IsLinkLocalUnicast() {
			continue
		}
		if p := a.Masked(); !p.IsSingleIP() {
			out = append(out, p)
		}
		for _, r := range routes {
			if r.direct(i.Name) && r.Dst.Bits() > 0 && !r.Dst.IsSingleIP() && r.Dst.Contains(a.Addr()) {
				out = append(out, r.Dst)
			}
		}
	}
	slices.SortFunc(out, comparePrefixes)
	return slices.Compact(out)
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}
