package plan

import (
	"encoding/json"
	"fmt"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/owned"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/plan/ipip"
)

var ipipBackend = backend{
	kind: InIPIP,
	announce: func(a *announcing, _ netconf.Family) (json.RawMessage, error) {
		if u := a.facts.Uplink; u.VRF != "" {
			return nil, fmt.Errorf("ipip needs an uplink outside of VRFs, and %s belongs to VRF %s; use vxlan without DirectRouting", u.Name, u.VRF)
		}
		return nil, nil
	},
	overhead: func(netconf.Family) int { return ipip.Overhead },
	device:   func(netconf.Backend, netconf.Family) string { return owned.IPIP },
	tunnel:   func(json.RawMessage) (Tunnel, bool) { return Tunnel{Backend: IPIP}, true },
	carriers: func(netconf.Backend) []firewall.Tunnel {
		return []firewall.Tunnel{{Family: netconf.V4, Proto: ipip.Protocol}}
	},
	pathTo: func(in *Input, p *lease.Lease, f netconf.Family) (Path, error) {
		return in.routedTo(p, f, Path{Kind: InIPIP, Dev: owned.IPIP})
	},
	end: func(in *Input, _ Former, at place) (routed, error) {
		return &ipip.Tunnel{
			Subnets: at.subnets, Local: at.local, MTU: at.mtu - ipip.Overhead, AllStrict: in.allStrict(),
		}, nil
	},
}

// Carrier is the protocol of the IPv4 packets in which those on the path travel, where
// nothing but an outer header carries them; 0: another way.
func (k Kind) Carrier() uint8 {
	if k == InIPIP {
		return ipip.Protocol
	}
	return 0
}
