package netconf

import (
	"fmt"
	"net/netip"
)

// Network is a parsed and valid network config document.
type Network struct {
	Ranges   []Range // one or two families, v4 first
	NFTables bool    // flannel's EnableNFTables; kept, weft always uses nftables where it can
	Backend  Backend

	// Keys that flannel does not have, and passes over.
	Guard      bool // tunnelled packets are taken from the network's hosts alone; default on
	Masquerade Masquerade
	Probe      Probe
	PeerPort   uint16 // TCP port on which agents answer those of other hosts, within the overlay; 0: they do not
	FastPath   bool   // eBPF programs carry packets between pods where nothing but speed changes; a host can be told otherwise

	// Keys as written, e.g. "Backend.Colour", sorted.
	Unknown  []string // unknown, and kept
	Unused   []string // known, and without effect on this backend
	Repeated []string // given more than once; the last counts
}

// Range is one family of the network: the overlay CIDR and how it is cut up
// into subnets.
type Range struct {
	Network   netip.Prefix // masked
	SubnetLen int          // prefix length of one host's subnet, in bits; 0: of Assigned
	Min, Max  netip.Addr   // first address of the first and last subnet given out
}

// Backend is the Backend object of the document, defaults applied.
type Backend struct {
	Type      string    // lower case; "vxlan", "host-gw", "wireguard", ...
	VXLAN     VXLAN     // meaningful for Type "vxlan" only; the zero value else
	WireGuard WireGuard // likewise for "wireguard"
	IPIP      IPIP      // likewise for "ipip"
}

// String is the backend in a few words: "host-gw", "vxlan with VNI 1".
func (b Backend) String() string {
	if b.Type != "vxlan" {
		return b.Type
	}
	return fmt.Sprintf("vxlan with VNI %d", b.VXLAN.VNI)
}

// VXLAN holds the keys of a vxlan backend.
type VXLAN struct {
	VNI           uint32 // 1..16777215
	Port          uint16 // UDP, host order; default 8472
	MTU           int    // bytes of the underlay, 0: that of the uplink
	GBP           bool
	Learning      bool
	DirectRouting bool
}

// IPIP holds the keys of an ipip backend.
type IPIP struct {
	DirectRouting bool
}

// DirectRouting reports whether packets to hosts of the same segment go without the
// backend's tunnel.
func (b Backend) DirectRouting() bool { return b.VXLAN.DirectRouting || b.IPIP.DirectRouting }

// Range returns the range of family f, if the network has it.
func (n Network) Range(f Family) (Range, bool) {
	for _, r := range n.Ranges {
		if r.Family() == f {
			return r, true
		}
	}
	return Range{}, false
}

// Assigned is n where another system assigns subnets, as Kubernetes does: what
// the document says of their length and bounds means nothing, and any subnet
// within the network fits.
func (n Network) Assigned() Network {
	ranges := make([]Range, 0, len(n.Ranges))
	for _, r := range n.Ranges {
		ranges = append(ranges, Range{Network: r.Network})
	}
	n.Ranges = ranges
	return n
}

// Prefixes returns the overlay CIDRs, v4 first.
func (n Network) Prefixes() []netip.Prefix {
	out := make([]netip.Prefix, 0, len(n.Ranges))
	for _, r := range n.Ranges {
		out = append(out, r.Network)
	}
	return out
}
