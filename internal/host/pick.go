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
		p := &pick{iface: i, holders: []Interface{i}, reason: "default route"}
		if owner.Name != i.Name {
			p.holders = append(p.holders, owner)
		}
		if c.leads(i) && c.fits(p) {
			switch {
			case slices.Contains(c.opts.Node, a):
				p.reason = nodeAddress
			case len(c.defaults()) == 0:
				p.reason = c.current.Reason
			}
			return p
		}
	}
	return nil
}

// leads reports whether of each family that has a default route one leads
// through i. With none at all i must be known by name: after a restart the
// other rules decide.
func (c *chooser) leads(i Interface) bool {
	defaults := c.defaults()
	if len(defaults) == 0 {
		return c.current.Name != ""
	}
	for _, f := range c.families {
		some, here := false, false
		for _, r := range defaults {
			some = some || r.Family() == f
			here = here || r.Family() == f && r.Dev == i.Name
		}
		if some && !here {
			return false
		}
	}
	return true
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

// defaults returns the default routes of the families needed.
func (c *chooser) defaults() []Route {
	return slices.DeleteFunc(slices.Clone(c.routes), func(r Route) bool {
		return r.Dst.Bits() > 0 || !slices.Contains(c.families, r.Family())
	})
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
		OnLink: onLink(name, c.routes), Connected: connected(p.iface, c.routes),
	}, Attached: attached(name, c.ifaces, c.routes)}
	f.Adverts, f.Bridges = c.adverts(), c.bridges(name)
	for _, fam := range c.families {
		addr := c.addr(&p, fam)
		f.Uplink.Addrs = append(f.Uplink.Addrs, addr)
		public := addr
		if i := slices.IndexFunc(c.opts.Public, netconf.Of(fam)); i >= 0 {
			public = c.opts.Public[i]
		}
		f.Public = append(f.Public, public)
	}
	return f
}
