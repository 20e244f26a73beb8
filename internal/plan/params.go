package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/device"
)

// Values of rp_filter and arp_ignore; Documentation/networking/ip-sysctl.rst.
const (
	strictFilter = "1" // a packet needs a route back to its source by the device that it came by
	sameSubnet   = 2   // ARP is answered to senders in the prefix of the address only
	noARP        = 8   // ARP is never answered
)

// parameters wants the kernel parameters without which packets of the network
// are dropped on the host's own devices. Those of tunnel devices come with them.
func parameters(s *netstate.Builder, in *Input) {
	for _, r := range in.Net.Ranges {
		f := r.Family()
		want := parameters6
		if f == netconf.V4 {
			want = parameters4
		}
		s.Sysctls = append(s.Sysctls, netstate.Sysctl{Name: host.Forwarding(f), Value: "1"})
		s.Sysctls = append(s.Sysctls, want(in)...)
	}
}

// parameters4 wants forwarding of each device that packets arrive by, since IPv4
// goes by the device's own parameter, and no strict filter on the uplink.
func parameters4(in *Input) []netstate.Sysctl {
	uplink := in.Host.Uplink.Name
	out := []netstate.Sysctl{{Name: netconf.V4.Conf(uplink, "forwarding"), Value: "1"}, device.LooseFilter(uplink, in.allStrict())}
	for _, b := range in.bridges() {
		out = append(out, netstate.Sysctl{Name: netconf.V4.Conf(b.Name, "forwarding"), Value: "1"})
	}
	return out
}

// allStrict reports whether the filter of all devices is strict.
func (in *Input) allStrict() bool {
	return in.Host.Params[netconf.V4.Conf("all", "rp_filter")] == strictFilter
}

// parameters6 keeps what the host has from router advertisements: a host that
// forwards takes itself for a router, which heeds them only if told so
// (accept_ra=2). Where the kernel does not heed them, since a program does, it
// stays so. A bridge made with IPv6 off can be given no address.
func parameters6(in *Input) []netstate.Sysctl {
	var out []netstate.Sysctl
	for _, dev := range in.Host.Adverts {
		out = append(out, netstate.Sysctl{Name: netconf.V6.Conf(dev, "accept_ra"), Value: "2", Unless: "0"})
	}
	if in.Host.Params[netconf.V6.Conf("default", "disable_ipv6")] != "1" {
		return out
	}
	for _, b := range in.bridges() {
		out = append(out, netstate.Sysctl{Name: netconf.V6.Conf(b.Name, "disable_ipv6"), Value: "0"})
	}
	return out
}

// bridges returns the interfaces that lead to this host's containers.
func (in *Input) bridges() []host.Bridge {
	subnets := slices.Concat(in.Self.Subnets, in.Draining)
	return slices.DeleteFunc(slices.Clone(in.Host.Bridges), func(b host.Bridge) bool {
		return !slices.ContainsFunc(b.Addrs, func(a netip.Addr) bool {
			return slices.ContainsFunc(subnets, func(p netip.Prefix) bool { return p.Contains(a) })
		})
	})
}

// parameterSubject is that of problems with the host's parameters.
const parameterSubject = "kernel parameter"

// withheld returns what of the host's parameters keeps packets from the network
// and is not weft's to change.
func withheld(in *Input) []Problem {
	var out []Problem
	complain := func(format string, args ...any) {
		out = append(out, Problem{Subject: parameterSubject, Err: fmt.Errorf(format, args...)})
	}
	if _, v4 := in.Net.Range(netconf.V4); v4 {
		uplink := in.Host.Uplink.Name
		if ignore := in.Host.Params.Highest(netconf.V4, uplink, "arp_ignore"); ignore == noARP || ignore == sameSubnet && alone(in.Host.Uplink) {
			complain("arp_ignore=%[2]d on %[1]s: the kernel answers no ARP request for this host's address, so hosts of its segment cannot reach it; "+
				"set 0 or 1 with: sysctl -w net/ipv4/conf/all/arp_ignore=1 net/ipv4/conf/%[1]s/arp_ignore=1", uplink, ignore)
		}
	}
	if limit := in.Host.Params.Number(host.ConnLimit); limit > 0 {
		complain("net.netfilter.nf_conntrack_max=%d: nearly as many connections are tracked, and the kernel drops packets of further ones; "+
			"raise it with: sysctl -w net.netfilter.nf_conntrack_max=%d", limit, 4*limit)
	}
	return out
}

// alone reports whether the uplink's IPv4 address is in no prefix with others.
func alone(u host.Uplink) bool {
	return !slices.ContainsFunc(u.Connected, func(p netip.Prefix) bool {
		return p.Addr().Is4() && !p.IsSingleIP() && slices.ContainsFunc(u.Addrs, p.Contains)
	})
}
