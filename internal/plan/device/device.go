// Package device says what all tunnel devices of this host have in common,
// whatever carries their packets: the network addresses of the host's subnets,
// and the kernel parameters without which packets are dropped on them. It is pure
// and knows nothing of leases or stores.
package device

import (
	"net/netip"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

// Receive adds to s the addresses of the device called name, which are the network
// addresses of subnets, all of family f, and its parameters. allStrict: the host's
// net.ipv4.conf.all.rp_filter is 1.
func Receive(s *netstate.Builder, name string, f netconf.Family, subnets []netip.Prefix, allStrict bool) {
	for _, subnet := range subnets {
		addr := subnet.Masked().Addr()
		s.Addrs = append(s.Addrs, netstate.Addr{Prefix: netip.PrefixFrom(addr, addr.BitLen()), Dev: name})
	}
	s.Sysctls = append(s.Sysctls, parameters(name, f, allStrict)...)
}

// parameters returns the device's kernel parameters, which it would otherwise
// have from the host's "default" ones.
func parameters(dev string, f netconf.Family, allStrict bool) []netstate.Sysctl {
	name := func(key string) string { return f.Conf(dev, key) }
	if f == netconf.V6 {
		// Peers are known from their leases; nobody on the tunnel is a router to believe.
		return []netstate.Sysctl{{Name: name("accept_ra"), Value: "0"}, {Name: name("disable_ipv6"), Value: "0"}}
	}
	return []netstate.Sysctl{{Name: name("forwarding"), Value: "1"}, LooseFilter(dev, allStrict)}
}

// LooseFilter wants no strict reverse-path filter on dev: a peer that is sent to
// directly may still send by the tunnel, and the other way round, so a packet's
// route back may lead by another device (2: loose, by any). The higher value of
// the device's and of all devices' counts, so that 0 is no obstacle unless all
// have 1 (allStrict); Documentation/networking/ip-sysctl.rst.
func LooseFilter(dev string, allStrict bool) netstate.Sysctl {
	want := netstate.Sysctl{Name: netconf.V4.Conf(dev, "rp_filter"), Value: "2", Unless: "0"}
	if allStrict {
		want.Unless = ""
	}
	return want
}
