package host

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/netconf"
)

// Choose finds the uplink and the addresses to advertise for the overlay
// networks, which say what families are needed. The order is flannel's: Iface,
// IfaceRegex, CanReach; without any of these the interface that has a Public
// address, else that of the default route; and, beyond flannel, ahead of the
// latter the interface that has a Node address, and the only usable interface
// when there is no default route. What was chosen before, current,
// stays as long as it stands; of that only addresses may be known. An error
// lists every interface and why it was not selected.
func Choose(ctx context.Context, src Source, o Options, networks []netip.Prefix, current Uplink) (Facts, error) {
	ifaces, err := src.Interfaces(ctx)
	if err != nil {
		return Facts{}, fmt.Errorf("list interfaces: %w", err)
	}
	routing, err := src.Routing(ctx, networks)
	if err != nil {
		return Facts{}, fmt.Errorf("list routes: %w", err)
	}
	c := &chooser{
		src: src, opts: o, networks: networks, families: familiesOf(networks),
		ifaces: ifaces, routing: routing, current: current,
	}
	p, err := c.pick(ctx)
	if err != nil {
		return Facts{}, c.withDisabled(ctx, err)
	}
	f := c.facts(p)
	f.Barriers, err = src.Barriers(ctx)
	if errors.Is(err, ErrNoFirewall) {
		f.NoFirewall, err = err.Error(), nil
	}
	if err != nil {
		return f, err
	}
	if f.Params, err = c.params(ctx, &f); err != nil || o.FastPath != netconf.Yes {
		return f, err
	}
	f.FastPath, err = src.FastPath(ctx)
	f.FastPath.Asked = true
	if f.FastPath.Missing == "" && len(p.iface.MAC) != ethernet {
		f.FastPath.Missing = fmt.Sprintf("uplink %s is no Ethernet device", f.Uplink.Name)
	}
	return f, err
}

// ethernet is the length of an Ethernet address.
const ethernet = 6

// familiesOf lists the families of the networks, v4 first.
func familiesOf(networks []netip.Prefix) []netconf.Family {
	var out []netconf.Family
	for _, n := range networks {
		out = append(out, netconf.FamilyOf(n.Addr()))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// pick is a chosen interface.
type pick struct {
	iface   Interface   // packets leave by it
	holders []Interface // whose addresses can be announced, in order of preference
	addr    netip.Addr  // the address by which it was named, if it was
	src     netip.Addr  // the source address of the route by which it was found, if any
	reason  string
}

type chooser struct {
	src      Source
	opts     Options
	networks []netip.Prefix
	families []netconf.Family
	ifaces   []Interface
	routing  Routing
	current  Uplink
	passed   []string // why candidates were not selected
}

func (c *chooser) pick(ctx context.Context) (pick, error) {
	for _, find := range []func(context.Context) (*pick, error){c.named, c.matching, c.reaching} {
		if p, err := find(ctx); p != nil || err != nil {
			return deref(p), err
		}
	}
	if len(c.opts.Iface) > 0 || len(c.opts.IfaceRegex) > 0 || c.opts.CanReach.IsValid() {
		return pick{}, c.fail("no uplink: no interface matches --iface, --iface-regex or --iface-can-reach")
	}
	for _, find := range []func() *pick{c.announced, c.standing, c.ofNode, c.byDefaultRoute, c.only} {
		if p := find(); p != nil {
			return *p, nil
		}
	}
	return pick{}, c.fail("no uplink: there is no default route; name the interface with --iface")
}

func deref(p *pick) pick {
	if p == nil {
		return pick{}
	}
	return *p
}

// named tries every --iface, a name or an address.
func (c *chooser) named(context.Context) (*pick, error) {
	for _, want := range c.opts.Iface {
		addr, _ := netip.ParseAddr(want)
		found := false
		for _, i := range c.ifaces {
			named := i.Name == want || i.has(addr)
			found = found || named
			if !named {
				continue
			}
			if p := c.at(i, addr, "--iface "+want); p != nil {
				return p, nil
			}
		}
		if !found {
			c.passed = append(c.passed, want+": no interface has this name or address")
		}
	}
	return nil, nil
}

// matching tries every --iface-regex on names and addresses.
func (c *chooser) matching(context.Context) (*pick, error) {
	for _, want := range c.opts.IfaceRegex {
		re, err := regexp.Compile(want)
		if err != nil {
			return nil, fmt.Errorf("--iface-regex %q: %w", want, err)
		}
		for _, i := range c.ifaces {
			addr, found := i.match(re)
			if !found {
				continue
			}
			if p := c.at(i, addr, "--iface-regex "+want); p != nil {
				return p, nil
			}
		}
	}
	return nil, nil
}

// reaching asks the kernel for the route to --iface-can-reach.
func (c *chooser) reaching(ctx context.Context) (*pick, error) {
	if !c.opts.CanReach.IsValid() {
		return nil, nil
	}
	r, err := c.src.RouteTo(ctx, c.opts.CanReach)
	if err != nil {
		return nil, fmt.Errorf("--iface-can-reach %s: %w", c.opts.CanReach, err)
	}
	return c.byRoute(r, fmt.Sprintf("--iface-can-reach %s", c.opts.CanReach)), nil
}

// announced finds the interface that has an address given with --public-ip.
func (c *chooser) announced() *pick {
	for _, a := range c.opts.Public {
		for _, i := range c.ifaces {
			if !i.has(a) {
				continue
			}
			if p := c.at(i, a, fmt.Sprintf("--public-ip %s", a)); p != nil {
				return p
			}
		}
	}
	return nil
}

// nodeAddress is the reason of an uplink that has the address of the node.
const nodeAddress = "the node's InternalIP"

// ofNode finds the interface that has an address by which the cluster knows
// this host. One that containers have is not looked for.
func (c *chooser) ofNode() *pick {
	for _, a := range c.opts.Node {
		i, found := c.owner(a)
		if !found || !slices.Contains(c.families, netconf.FamilyOf(a)) || c.overlay(i) {
			continue
		}
		if p := c.at(i, a, nodeAddress); p != nil {
			return p
		}
	}
	return nil
}

// byDefaultRoute selects the first interface with a default route that fits, of
// the families needed.
func (c *chooser) byDefaultRoute() *pick {
	for _, r := range c.defaults() {
		if p := c.byRoute(r, reasonOf(r)); p != nil {
			return p
		}
	}
	return nil
}

// only selects the one usable interface, if there is no other. Interfaces
// of the overlay itself, which an earlier run left behind, do not count.
func (c *chooser) only() *pick {
	var able []*pick
	for _, i := range c.ifaces {
		if i.Loopback || c.overlay(i) {
			continue
		}
		if p := c.at(i, netip.Addr{}, "only candidate"); p != nil {
			able = append(able, p)
		}
	}
	if len(able) == 1 {
		return able[0]
	}
	for _, p := range able {
		c.passed = append(c.passed, p.iface.Name+": usable, but not the only one")
	}
	return nil
}

// overlay reports whether i has an address in the overlay: a tunnel of ours or
// a bridge of containers. It notes that.
func (c *chooser) overlay(i Interface) bool {
	if i.Tunnel {
		c.passed = append(c.passed, i.Name+": is a tunnel")
		return true
	}
	for _, a := range i.Addrs {
		inside := func(n netip.Prefix) bool { return n.Contains(a.Addr()) }
		if slices.ContainsFunc(c.networks, inside) {
			c.passed = append(c.passed, fmt.Sprintf("%s: belongs to the overlay, as its address %s shows", i.Name, a.Addr()))
			return true
		}
	}
	return false
}

// fits reports whether p can be the uplink, and notes why not.
func (c *chooser) fits(p *pick) bool {
	why := c.objection(p)
	if why != "" {
		c.passed = append(c.passed, p.holders[0].Name+": "+why)
	}
	return why == ""
}

func (c *chooser) objection(p *pick) string {
	switch {
	case !p.iface.Up:
		return "is down"
	case p.iface.MTU <= 0:
		return "has MTU 0"
	}
	for _, f := range c.families {
		if !c.addr(p, f).IsValid() {
			return fmt.Sprintf("has no usable %s address", f)
		}
	}
	return ""
}

func (c *chooser) fail(what string) error {
	noted := map[string]bool{}
	lines := slices.Clone(c.passed)
	for _, l := range lines {
		noted[l[:strings.Index(l, ": ")]] = true
	}
	for _, i := range c.ifaces {
		switch {
		case noted[i.Name]:
		case i.Loopback:
			lines = append(lines, i.Name+": is the loopback device")
		default:
			lines = append(lines, i.Name+": not selected: not named, and no default route")
		}
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	if len(lines) == 0 {
		lines = []string{"there are no interfaces"}
	}
	return fmt.Errorf("%s\n  %s", what, strings.Join(lines, "\n  "))
}
