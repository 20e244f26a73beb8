package demo

import (
	"encoding/json"
	"fmt"

	"github.com/weft-net/weft/internal/lab"
)

// Backend chooses how packets travel between hosts.
type Backend string

// The backends that can be shown.
const (
	VXLAN       Backend = "vxlan"
	HostGW      Backend = "host-gw"
	VXLANDirect Backend = "vxlan+direct" // direct between hosts of one segment, vxlan else
)

// Backends lists them all.
var Backends = []Backend{VXLAN, HostGW, VXLANDirect}

// Family chooses the addresses of pods.
type Family string

// The families that can be shown.
const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
	Dual Family = "dual"
)

// Families lists them all.
var Families = []Family{IPv4, IPv6, Dual}

// Config is what can be chosen about a demo.
type Config struct {
	Backend Backend
	Family  Family
}

// has tells whether pods get addresses of the family.
func (f Family) has(is6 bool) bool { return f == Dual || (f == IPv6) == is6 }

// sixes lists the families of f as values for Pod.Addr.
func (f Family) sixes() []bool {
	var out []bool
	for _, is6 := range []bool{false, true} {
		if f.has(is6) {
			out = append(out, is6)
		}
	}
	return out
}

// Topology is the network that c is shown on: two segments behind a router, or one where every
// peer must be on-link.
func (c Config) Topology() lab.Topology {
	if c.Backend == HostGW {
		return lab.FlatDemo()
	}
	return lab.Demo()
}

// Document is the network config document for c.
func (c Config) Document() ([]byte, error) {
	backend := map[string]any{"Type": string(VXLAN)}
	switch c.Backend {
	case VXLAN:
	case HostGW:
		backend["Type"] = string(HostGW)
	case VXLANDirect:
		backend["DirectRouting"] = true
	default:
		return nil, fmt.Errorf("backend %q: it must be one of %v", c.Backend, Backends)
	}
	document := map[string]any{"Backend": backend}
	switch c.Family {
	case IPv4, IPv6, Dual:
	default:
		return nil, fmt.Errorf("family %q: it must be one of %v", c.Family, Families)
	}
	if c.Family.has(false) {
		document["Network"] = "10.42.0.0/16"
	} else {
		document["EnableIPv4"] = false
	}
	if c.Family.has(true) {
		document["EnableIPv6"] = true
		document["IPv6Network"] = "fd42:7::/48"
	}
	return json.MarshalIndent(document, "", "  ")
}
