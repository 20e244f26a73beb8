package host

import (
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/netconf"
)

// at picks i, if it fits. Packets from an address of the loopback leave by
// another interface, which the default route tells.
func (c *chooser) at(i Interface, addr netip.Addr, reason string) *pick {
	p := &pick{iface: i, holders: []Interface{i}, addr: addr, reason: reason}
	if i.Loopback {
		out, found := c.leaving(i)
		if !found {
			c.passed = append(c.passed, i.Name+": no default route tells by which interface its packets leave")
			return nil
		}
		p.iface = out
	}
	if !c.fits(p) {
		return nil
	}
	return p
}

// leaving returns the interface by which packets with an address of i leave:
// that of a default route which names such an address, else of the best one.
func (c *chooser) leaving(i Interface) (out Interface, found bool) {
	for _, r := range c.defaults() {
		o, ok := c.iface(r.Dev)
		if ok && i.has(r.Src) {
			return o, true
		}
		if ok && !found {
			out, found = o, true
		}
	}
	return out, found
}

// byRoute picks the interface of r, if it fits. The source address that r
// names may be another interface's.
func (c *chooser) byRoute(r Route, reason string) *pick {
	i, found := c.iface(r.Dev)
	if !found {
		return nil
	}
	if i.Loopback {
		return c.at(i, r.Src, reason)
	}
	p := &pick{iface: i, holders: []Interface{i}, src: r.Src, reason: reason}
	if owner, found := c.owner(r.Src); found && owner.Name != i.Name {
		p.holders = append(p.holders, owner)
	}
	if !c.fits(p) {
		return nil
	}
	return p
}

// standing picks what was chosen before if one of its addresses stands and the
// default routes, if there are any, still lead through it.
func (c *chooser) standing() *pick {
	for _, a := range c.current.Addrs {
		owner, found := c.owner(a)
		if !found || !slices.Contains(c.families, netconf.FamilyOf(a)) {
			continue
		}
		i := owner
		if c.current.Name != "" {
			if i, found = c.iface(c.current.Name); !found {
				return nil
			}
		}
		p := &pick{iface: i, holders: []Interface{i}, reason: c.reason(i)}
		if owner.Name != i.Name {
			p.holders = append(p.holders, owner)
		}
		if c.leads(i) && c.fits(p) {
			if slices.Contains(c.opts.Node, a) {
				p.reason = nodeAddress
			}
			return p
		}
	}
	return nil
}

// addr returns the address of family f that p announces: the one asked for,
// the present one, the node's, the source address of the route, or the best.
func (c *chooser) addr(p *pick, f netconf.Family) netip.Addr {
	for _, a := range c.opts.Public {
		if _, found := c.owner(a); found && netconf.FamilyOf(a) == f {
			return a
		}
	}
	preferred := []netip.Addr{p.addr}
	if c.current.Name == "" || c.current.Name == p.iface.Name {
		preferred = append(preferred, c.current.Addrs...)
	}
	preferred = append(append(preferred, c.opts.Node...), p.src)
	for _, r := range c.defaults() {
		if r.Dev == p.iface.Name {
			preferred = append(preferred, r.Src)
		}
	}
	for _, a := range preferred {
		held := slices.ContainsFunc(p.holders, func(i Interface) bool { return i.announces(a) })
		if held && netconf.FamilyOf(a) == f {
			return a
		}
	}
	for _, i := range p.holders {
		if a := bestAddr(i, f); a.IsValid() {
			return a
		}
	}
	return netip.Addr{}
}

func (c *chooser) iface(name string) (Interface, bool) {
	i := slices.IndexFunc(c.ifaces, func(i Interface) bool { return i.Name == name })
	if i < 0 {
		return Interface{}, false
	}
	return c.ifaces[i], true
}

// owner returns the interface that has a and can announce it.
func (c *chooser) owner(a netip.Addr) (Interface, bool) {
	i := slices.IndexFunc(c.ifaces, func(i Interface) bool { return i.announces(a) })
	if i < 0 {
		return Interface{}, false
	}
	return c.ifaces[i], true
}

func (c *chooser) facts(p pick) Facts {
	name := p.iface.Name
	f := Facts{Uplink: Uplink{
		Name: name, MTU: p.iface.MTU, Reason: p.reason,
		Connected: connected(p.iface, c.routing.Routes), VRF: p.iface.VRF,
	}, Attached: attached(name, c.ifaces, c.routing.main())}
	f.Adverts, f.Bridges = c.adverts(), c.bridges(name)
	for _, fam := range c.families {
		addr := c.addr(&p, fam)
		f.Uplink.Addrs = append(f.Uplink.Addrs, addr)
		public := addr
		if i := slices.IndexFunc(c.opts.Public, netconf.Of(fam)); i >= 0 {
			public = c.opts.Public[i]
		}
		f.Public = append(f.Public, public)
		c.reach(&f.Uplink, p.iface, addr)
	}
	f.Others = c.others(f.Uplink)
	f.Diversions = c.routing.diversions(c.networks, f.Uplink, c.overlayDevices())
	return f
}

// others returns the addresses that were not chosen: those of the uplink first,
// then those of other interfaces but for containers'.
func (c *chooser) others(u Uplink) (here []Other) {
	var elsewhere []Other
	containers := c.overlayDevices()
	for _, i := range c.ifaces {
		if !i.Up || i.Overlay || i.Local || slices.Contains(containers, i.Name) {
			continue
		}
		for _, a := range i.Addrs {
			is := Other{a.Addr(), i.Name}
			switch {
			case !a.usable(), slices.Contains(u.Addrs, is.Addr), !slices.Contains(c.families, netconf.FamilyOf(is.Addr)):
			case i.Name == u.Name:
				here = append(here, is)
			default:
				elsewhere = append(elsewhere, is)
			}
		}
	}
	return append(here, elsewhere...)
}

// reach finds out what is on-link and what is not reached from an address of
// the uplink.
func (c *chooser) reach(u *Uplink, i Interface, addr netip.Addr) {
	link, byFlag := c.routing.links(i, addr)
	for _, one := range c.routing.unreached(i, addr) {
		for _, p := range subtract([]netip.Prefix{one.Dst}, link) {
			u.Unreached = append(u.Unreached, Unreached{p, one.Rule})
		}
	}
	if i.VRF == "" {
		u.OnLink, u.ByFlag = append(u.OnLink, link...), append(u.ByFlag, byFlag...)
	}
}

// overlayDevices names the devices that lead to containers: tunnels, and those with an address
// in the overlay.
func (c *chooser) overlayDevices() (out []string) {
	for _, i := range c.ifaces {
		inside := func(a Addr) bool {
			return slices.ContainsFunc(c.networks, func(n netip.Prefix) bool { return n.Contains(a.Addr()) })
		}
		if i.Tunnel || slices.ContainsFunc(i.Addrs, inside) {
			out = append(out, i.Name)
		}
	}
	return out
}
