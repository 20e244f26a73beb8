package host

import (
	"cmp"
	"net/netip"
	"slices"
)

// defaults returns the default routes of the families needed: first those of
// the main table, which are the host's own, then those that a policy rule leads
// to. Where a rule asks for an address of this host, that is the route's source.
func (c *chooser) defaults() []Route {
	type ranked struct {
		Route
		rank uint64
	}
	var all []ranked
	for _, r := range c.routing.Routes {
		if r.Dst.Bits() > 0 || r.Dev == "" || !slices.Contains(c.families, r.Family()) {
			continue
		}
		if r.Table == MainTable {
			all = append(all, ranked{r, 0})
		} else if rule, src, found := c.leading(r); found {
			r.Src = src
			all = append(all, ranked{r, 1 + uint64(rule.Priority)})
		}
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	var out []Route
	for _, r := range all {
		out = append(out, r.Route)
	}
	return out
}

// leading finds the first rule by which packets of this host take the default
// route r of another table than main, and the address that they have.
func (c *chooser) leading(r Route) (PolicyRule, netip.Addr, bool) {
	i, _ := c.iface(r.Dev)
	for _, rule := range c.routing.rules(r.Family()) {
		table := rule.Table
		if rule.VRF {
			table = i.Table
		}
		if rule.Action != Lookup || table != r.Table || rule.Suppress >= 0 || rule.Dst.IsValid() && rule.Dst.Bits() > 0 {
			continue
		}
		for _, src := range c.sources(rule, r) {
			f := flow{family: r.Family(), in: "lo", out: []string{i.Name, i.VRF}, vrf: i.Table}
			if src.IsValid() {
				f.src = netip.PrefixFrom(src, src.BitLen())
			}
			if _, all := rule.fits(f); all {
				return rule, src, true
			}
		}
	}
	return PolicyRule{}, netip.Addr{}, false
}

// sources lists the addresses with which packets may fit a rule: that of its route, or
// those that it asks for. The zero address is any.
func (c *chooser) sources(rule PolicyRule, r Route) []netip.Addr {
	if rule.Not || !rule.Src.IsValid() || rule.Src.Bits() == 0 {
		return []netip.Addr{r.Src}
	}
	out := []netip.Addr{r.Src}
	for _, i := range c.ifaces {
		for _, a := range i.Addrs {
			if a.usable() && rule.Src.Contains(a.Addr()) {
				out = append(out, a.Addr())
			}
		}
	}
	return out
}

// leads reports whether of each family packets still leave through i: by the
// default route of the main table or, from an address of i, by that of another.
// Where main has none and i was chosen by another reason than a route, i must
// be known by name: after a restart the other rules decide.
func (c *chooser) leads(i Interface) bool {
	defaults := c.defaults()
	for _, f := range c.families {
		var some, main, here bool
		for _, r := range defaults {
			if r.Family() != f {
				continue
			}
			some, main = true, main || r.Table == MainTable
			here = here || r.Dev == i.Name && (r.Table == MainTable || i.VRF != "" || i.announces(r.Src))
		}
		moved := main || some && c.current.Reason == otherTable
		if !here && (moved || c.current.Name == "") {
			return false
		}
	}
	return true
}

// Reasons for a choice by a default route.
const (
	mainTable  = "default route"
	otherTable = "default route of a policy rule's table"
)

func reasonOf(r Route) string {
	if r.Table == MainTable {
		return mainTable
	}
	return otherTable
}

// reason says why i stays chosen.
func (c *chooser) reason(i Interface) string {
	reason := ""
	for _, r := range c.defaults() {
		if r.Dev == i.Name {
			reason = cmp.Or(reason, reasonOf(r))
		}
	}
	return cmp.Or(reason, c.current.Reason, mainTable)
}
