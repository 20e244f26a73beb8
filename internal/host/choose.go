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
// address, else that of the default route; and, beyond flannel, the only usable
// interface when there is no default route. An error lists every interface and
// why it was not selected.
func Choose(ctx context.Context, src Source, o Options, networks []netip.Prefix) (Facts, error) {
	ifaces, err := src.Interfaces(ctx)
	if err != nil {
		return Facts{}, fmt.Errorf("list interfaces: %w", err)
	}
	c := &chooser{src: src, opts: o, networks: networks, families: familiesOf(networks), ifaces: ifaces}
	pick, err := c.pick(ctx)
	if err != nil {
		return Facts{}, err
	}
	f := c.facts(pick)
	if f.Uplink.Advert, err = c.advertised(ctx, f.Uplink.Name); err != nil {
		return Facts{}, err
	}
	f.Barriers, err = src.Barriers(ctx)
	if errors.Is(err, ErrNoFirewall) {
		f.NoFirewall, err = err.Error(), nil
	}
	return f, err
}

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
	iface  Interface
	addr   netip.Addr // the address by which it was named, if it was
	reason string
}

type chooser struct {
	src      Source
	opts     Options
	networks []netip.Prefix
	families []netconf.Family
	ifaces   []Interface
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
	for _, find := range []func(context.Context) (*pick, error){c.announced, c.byDefaultRoute, c.only} {
		if p, err := find(ctx); p != nil || err != nil {
			return deref(p), err
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
			if named && c.fits(i) {
				return &pick{i, addr, "--iface " + want}, nil
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
			if found && c.fits(i) {
				return &pick{i, addr, "--iface-regex " + want}, nil
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
	name, err := c.src.RouteTo(ctx, c.opts.CanReach)
	if err != nil {
		return nil, fmt.Errorf("--iface-can-reach %s: %w", c.opts.CanReach, err)
	}
	return c.byName(name, fmt.Sprintf("--iface-can-reach %s", c.opts.CanReach)), nil
}

// announced finds the interface that has an address given with --public-ip.
func (c *chooser) announced(context.Context) (*pick, error) {
	for _, a := range c.opts.Public {
		for _, i := range c.ifaces {
			if i.has(a) && c.fits(i) {
				return &pick{i, a, fmt.Sprintf("--public-ip %s", a)}, nil
			}
		}
	}
	return nil, nil
}

// byDefaultRoute selects the first interface with a default route that fits, of
// the families needed.
func (c *chooser) byDefaultRoute(ctx context.Context) (*pick, error) {
	routes, err := c.src.DefaultRoutes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list default routes: %w", err)
	}
	for _, r := range routes {
		if !slices.Contains(c.families, r.Family) {
			continue
		}
		if p := c.byName(r.Dev, "default route"); p != nil {
			return p, nil
		}
	}
	return nil, nil
}

// only selects the one usable interface, if there is no other. Interfaces
// of the overlay itself, which an earlier run left behind, do not count.
func (c *chooser) only(context.Context) (*pick, error) {
	var able []Interface
	for _, i := range c.ifaces {
		if !i.Loopback && !c.overlay(i) && c.fits(i) {
			able = append(able, i)
		}
	}
	if len(able) != 1 {
		for _, i := range able {
			c.passed = append(c.passed, i.Name+": usable, but not the only one")
		}
		return nil, nil
	}
	return &pick{iface: able[0], reason: "only candidate"}, nil
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

// advertised reports whether a default route through dev comes from router
// advertisements.
func (c *chooser) advertised(ctx context.Context, dev string) (bool, error) {
	routes, err := c.src.DefaultRoutes(ctx)
	if err != nil {
		return false, fmt.Errorf("list default routes: %w", err)
	}
	return slices.ContainsFunc(routes, func(r DefaultRoute) bool { return r.Dev == dev && r.Advert }), nil
}

func (c *chooser) byName(name, reason string) *pick {
	for _, i := range c.ifaces {
		if i.Name == name && c.fits(i) {
			return &pick{iface: i, reason: reason}
		}
	}
	return nil
}

// fits reports whether i can be the uplink, and notes why not.
func (c *chooser) fits(i Interface) bool {
	why := c.objection(i)
	if why != "" {
		c.passed = append(c.passed, i.Name+": "+why)
	}
	return why == ""
}

func (c *chooser) objection(i Interface) string {
	switch {
	case !i.Up:
		return "is down"
	case i.MTU <= 0:
		return "has MTU 0"
	}
	for _, f := range c.families {
		if !bestAddr(i, f, netip.Addr{}).IsValid() {
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

func (c *chooser) facts(p pick) Facts {
	f := Facts{Uplink: Uplink{Name: p.iface.Name, MTU: p.iface.MTU, OnLink: onLink(p.iface), Reason: p.reason}}
	for _, fam := range c.families {
		addr := bestAddr(p.iface, fam, p.addr)
		f.Uplink.Addrs = append(f.Uplink.Addrs, addr)
		public := addr
		if i := slices.IndexFunc(c.opts.Public, netconf.Of(fam)); i >= 0 {
			public = c.opts.Public[i]
		}
		f.Public = append(f.Public, public)
	}
	return f
}
