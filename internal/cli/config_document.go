package cli

import (
	"net/netip"

	"github.com/weft-net/weft/internal/netconf"
)

// configReport is what a config means, with defaults, for programs.
type configReport struct {
	header
	Ranges   []configRange `json:"ranges"`
	Backend  configBackend `json:"backend"`
	Guard    bool          `json:"guard"`
	FastPath bool          `json:"fastPath"` // asked for on hosts that are not told otherwise
	Warnings []string      `json:"warnings"`
}

// configRange is one family of the network.
type configRange struct {
	Network   netip.Prefix `json:"network"`
	SubnetLen int          `json:"subnetLen"` // of one host's subnet, in bits
	Min       netip.Addr   `json:"subnetMin"` // first address of the first subnet
	Max       netip.Addr   `json:"subnetMax"` // first address of the last subnet
}

// configBackend is the backend; the fields of vxlan are absent with others.
type configBackend struct {
	Type          string `json:"type"`
	VNI           uint32 `json:"vni,omitempty"`
	Port          uint16 `json:"port,omitempty"` // UDP
	MTU           int    `json:"mtu,omitempty"`  // bytes; 0: that of the uplink
	DirectRouting bool   `json:"directRouting,omitempty"`
}

func reportOn(n netconf.Network, warnings []string) configReport {
	v := n.Backend.VXLAN
	out := configReport{
		header:  newHeader("ConfigReport"),
		Backend: configBackend{n.Backend.Type, v.VNI, v.Port, v.MTU, n.Backend.DirectRouting()},
		Guard:   n.Guard, FastPath: n.FastPath, Warnings: warnings,
	}
	for _, r := range n.Ranges {
		out.Ranges = append(out.Ranges, configRange{r.Network, r.SubnetLen, r.Min, r.Max})
	}
	return out
}
