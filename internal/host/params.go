package host

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-net/weft/internal/netconf"
)

// Params are kernel parameters: values by names below /proc/sys, with slashes
// ("net/ipv4/ip_forward"). Parameters that cannot be read are missing.
type Params map[string]string

// Number returns the value of a parameter, 0 if it is not known.
func (p Params) Number(name string) int {
	n, _ := strconv.Atoi(p[name]) // other values are as good as none
	return n
}

// Highest returns the higher value of a parameter of dev and that of all
// devices, by which the kernel goes for rp_filter and arp_ignore
// (IN_DEV_MAXCONF of linux/inetdevice.h).
func (p Params) Highest(f netconf.Family, dev, key string) int {
	return max(p.Number(f.Conf(dev, key)), p.Number(f.Conf("all", key)))
}

// Forwarding names the parameter that turns forwarding on for all devices.
func Forwarding(f netconf.Family) string {
	if f == netconf.V4 {
		return "net/ipv4/ip_forward"
	}
	return f.Conf("all", "forwarding")
}

// Forwarding lists the known parameters that turn forwarding on for one device, and
// for later ones; sorted.
func (p Params) Forwarding(f netconf.Family) []string {
	var out []string
	for name := range p {
		dev, of := strings.CutPrefix(name, "net/"+f.String()+"/conf/")
		if of && strings.HasSuffix(dev, "/forwarding") && name != Forwarding(f) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// NeighLimit names the parameter that bounds the number of the kernel's
// neighbours of family f. Permanent ones do not count.
func NeighLimit(f netconf.Family) string { return "net/" + f.String() + "/neigh/default/gc_thresh3" }

// Connections that netfilter tracks in this network namespace, and their limit.
const (
	ConnLimit = "net/netfilter/nf_conntrack_max"
	connCount = "net/netfilter/nf_conntrack_count"
)

// Release names the parameter that has the release of the kernel that runs.
const Release = "kernel/osrelease"

// params reads the parameters that decide about packets by way of f.
func (c *chooser) params(ctx context.Context, f *Facts) (Params, error) {
	var names []string
	for _, fam := range c.families {
		names = append(names, Forwarding(fam), NeighLimit(fam))
		for _, dev := range []string{"default", f.Uplink.Name} {
			names = append(names, fam.Conf(dev, "forwarding"))
		}
		if fam == netconf.V6 {
			names = append(names, fam.Conf("default", "disable_ipv6"))
			for _, dev := range f.Adverts {
				names = append(names, fam.Conf(dev, "accept_ra"))
			}
		} else {
			names = append(names, fam.Conf("all", "accept_redirects"))
			for _, key := range []string{"rp_filter", "arp_ignore"} {
				names = append(names, fam.Conf("all", key), fam.Conf(f.Uplink.Name, key))
			}
		}
		for _, b := range f.Bridges {
			names = append(names, fam.Conf(b.Name, map[netconf.Family]string{netconf.V4: "forwarding", netconf.V6: "disable_ipv6"}[fam]))
		}
	}
	if c.opts.FastPath == netconf.Yes {
		names = append(names, "net/netfilter/nf_conntrack_tcp_be_liberal", "net/netfilter/nf_conntrack_tcp_loose")
	}
	found, err := c.src.Params(ctx, append(names, Release, ConnLimit, connCount))
	if err != nil {
		return nil, fmt.Errorf("read kernel parameters: %w", err)
	}
	return found.rounded(), nil
}

// rounded returns p without the number of tracked connections, which never stays
// the same, and without their limit unless it is nearly reached.
func (p Params) rounded() Params {
	if 100*p.Number(connCount) < 95*p.Number(ConnLimit) {
		delete(p, ConnLimit)
	}
	delete(p, connCount)
	return p
}

// adverts returns the interfaces that router advertisements configure, as far
// as that can be told: the kernel does it, or a program.
func (c *chooser) adverts() []string {
	var out []string
	for _, i := range c.ifaces {
		route := slices.ContainsFunc(c.routing.Routes, func(r Route) bool { return r.Dst.Bits() == 0 && r.Dev == i.Name && r.Advert })
		addr := slices.ContainsFunc(i.Addrs, func(a Addr) bool { return a.Addr().Is6() && a.Dynamic && a.Bits() == 64 })
		if (route || addr) && !i.Loopback {
			out = append(out, i.Name)
		}
	}
	return out
}

// bridges returns the interfaces other than the uplink and tunnels that have
// addresses in the overlay.
func (c *chooser) bridges(uplink string) []Bridge {
	var out []Bridge
	for _, i := range c.ifaces {
		b := Bridge{Name: i.Name}
		if i.Name == DockerBridge && i.Carrier { // without ports it has the MTU that it was made with, whatever Docker is told
			b.MTU = i.MTU
		}
		for _, a := range i.Addrs {
			if slices.ContainsFunc(c.networks, func(n netip.Prefix) bool { return n.Contains(a.Addr()) }) {
				b.Addrs = append(b.Addrs, a.Addr())
			}
		}
		if len(b.Addrs) > 0 && i.Name != uplink && !i.Loopback && !i.Tunnel && !i.Overlay {
			out = append(out, b)
		}
	}
	return out
}

// withDisabled adds to err, for which there is no uplink, the interfaces that can
// have no address of a family needed since IPv6 is disabled.
func (c *chooser) withDisabled(ctx context.Context, err error) error {
	if !slices.Contains(c.families, netconf.V6) {
		return err
	}
	var names []string
	for _, i := range c.ifaces {
		if i.Up && !i.Loopback {
			names = append(names, netconf.V6.Conf(i.Name, "disable_ipv6"))
		}
	}
	found, failed := c.src.Params(ctx, names)
	if failed != nil {
		return err
	}
	for _, name := range names {
		if found[name] == "1" {
			err = fmt.Errorf("%w\n  IPv6 is disabled; enable it with: sysctl -w %s=0", err, name)
		}
	}
	return err
}
