package plan

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

var hostGWBackend = backend{
	announce: func(a *announcing, f netconf.Family) (json.RawMessage, error) {
		if public, _ := a.attrs.PublicAddr(f); !slices.Contains(a.facts.Uplink.Addrs, public) {
			return nil, fmt.Errorf("host-gw needs the announced address %s to be on uplink %s; drop --public-ip or use vxlan", public, a.facts.Uplink.Name)
		}
		return nil, nil
	},
	pathTo: func(in *Input, p *lease.Lease, f netconf.Family) (Path, error) {
		remote, err := in.remote(p, f)
		switch uplink := in.Host.Uplink; {
		case err != nil:
			return Path{}, err
		case onLink(uplink.OnLink, remote):
			return in.directTo(remote), nil
		case uplink.VRF != "":
			return Path{}, fmt.Errorf("announces host-gw, which this host does not support: its uplink %s belongs to VRF %s; use vxlan without DirectRouting", uplink.Name, uplink.VRF)
		default:
			return Path{}, fmt.Errorf("its address %s is not in a directly connected subnet of %s, and it announces host-gw, which cannot cross a router; use vxlan with DirectRouting", remote, uplink.Name)
		}
	},
}
