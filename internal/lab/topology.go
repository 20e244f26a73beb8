package lab

import (
	"fmt"
	"net/netip"
)

// Topology says which hosts there are and how they are wired. It is a plain value.
type Topology struct {
	Segments []Segment
	Router   string // name of the router that joins all segments and forwards; "": none
	Hosts    []HostSpec
}

// Segment is one Ethernet: whoever is on it reaches the others on it without a router.
type Segment struct {
	Name     string         // at most 12 characters: it names a bridge and a router's device
	Prefixes []netip.Prefix // one a family at most; the router has the first address of each
}

// HostSpec is a host with one interface, eth0.
type HostSpec struct {
	Name    string       // at most 15 characters: it names the host's port on the switch
	Segment string       // the segment that eth0 is on
	Addrs   []netip.Addr // of eth0, each in a prefix of the segment
}

// Longest names, in bytes, that fit into the kernel's names for devices.
const (
	maxHostName    = 15
	maxSegmentName = 12
)

// Validate says what is wrong with t, nil if nothing is.
func (t Topology) Validate() error {
	segments := map[string]Segment{}
	for _, s := range t.Segments {
		if _, twice := segments[s.Name]; twice || s.Name == "" || len(s.Name) > maxSegmentName {
			return fmt.Errorf("segment %q: the name must be unique and 1 to %d characters long", s.Name, maxSegmentName)
		}
		segments[s.Name] = s
	}
	names := map[string]bool{t.Router: true, switchName: true}
	for _, h := range t.Hosts {
		if names[h.Name] || h.Name == "" || len(h.Name) > maxHostName {
			return fmt.Errorf("host %q: the name must be unique and 1 to %d characters long", h.Name, maxHostName)
		}
		names[h.Name] = true
		s, ok := segments[h.Segment]
		if !ok {
			return fmt.Errorf("host %s: unknown segment %q", h.Name, h.Segment)
		}
		if _, err := s.on(h.Addrs); err != nil {
			return fmt.Errorf("host %s: %w", h.Name, err)
		}
	}
	return nil
}

// on gives every address the length of the segment's prefix that it is in.
func (s Segment) on(addrs []netip.Addr) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, a := range addrs {
		p, ok := s.prefixOf(a)
		if !ok {
			return nil, fmt.Errorf("address %s is in no prefix of segment %s (%v)", a, s.Name, s.Prefixes)
		}
		out = append(out, netip.PrefixFrom(a, p.Bits()))
	}
	return out, nil
}

func (s Segment) prefixOf(a netip.Addr) (netip.Prefix, bool) {
	for _, p := range s.Prefixes {
		if p.Contains(a) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// gateways are the router's addresses on the segment.
func (s Segment) gateways() []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s.Prefixes {
		out = append(out, netip.PrefixFrom(p.Masked().Addr().Next(), p.Bits()))
	}
	return out
}

// StoreHost is the host of Demo that the store runs on.
const StoreHost = "etcd"

// Demo is four hosts on two segments with a router between, and a fifth that holds the store:
//
//	h1 10.4.7.21 ┐         ┌ h3 10.4.8.23
//	h2 10.4.7.22 ┴─ router ┴ h4 10.4.8.24
//	                  └ etcd 10.4.9.10
//
// Each host has an IPv6 address beside, fd04:7::21 and so on.
func Demo() Topology {
	addrs := func(v4, v6 string) []netip.Addr {
		return []netip.Addr{netip.MustParseAddr(v4), netip.MustParseAddr(v6)}
	}
	prefixes := func(v4, v6 string) []netip.Prefix {
		return []netip.Prefix{netip.MustParsePrefix(v4), netip.MustParsePrefix(v6)}
	}
	return Topology{
		Router: "router",
		Segments: []Segment{
			{Name: "a", Prefixes: prefixes("10.4.7.0/24", "fd04:7::/64")},
			{Name: "b", Prefixes: prefixes("10.4.8.0/24", "fd04:8::/64")},
			{Name: "store", Prefixes: prefixes("10.4.9.0/24", "fd04:9::/64")},
		},
		Hosts: []HostSpec{
			{Name: "h1", Segment: "a", Addrs: addrs("10.4.7.21", "fd04:7::21")},
			{Name: "h2", Segment: "a", Addrs: addrs("10.4.7.22", "fd04:7::22")},
			{Name: "h3", Segment: "b", Addrs: addrs("10.4.8.23", "fd04:8::23")},
			{Name: "h4", Segment: "b", Addrs: addrs("10.4.8.24", "fd04:8::24")},
			{Name: StoreHost, Segment: "store", Addrs: addrs("10.4.9.10", "fd04:9::10")},
		},
	}
}

// FlatDemo is Demo with all four hosts on segment a, for networks that need every peer on-link.
func FlatDemo() Topology {
	t := Demo()
	for i, h := range t.Hosts {
		if h.Segment == "b" {
			t.Hosts[i].Segment = "a"
			t.Hosts[i].Addrs = []netip.Addr{
				netip.MustParseAddr("10.4.7.2" + h.Name[1:]),
				netip.MustParseAddr("fd04:7::2" + h.Name[1:]),
			}
		}
	}
	return t
}
