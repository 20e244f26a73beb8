package plan

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/plan/vxlan"
)

var vxlanBackend = backend{
	kind: Tunnelled,
	announce: func(a *announcing, f netconf.Family) (json.RawMessage, error) {
		vni := a.net.Backend.VXLAN.VNI
		return vxlan.Data{VNI: vni, MAC: tunnelMAC(a.seed, f, vni, a.before)}.Marshal(), nil
	},
	overhead: vxlan.Overhead,
	mtu:      func(b netconf.Backend) int { return b.VXLAN.MTU },
	device:   func(b netconf.Backend, f netconf.Family) string { return owned.DeviceName(f, b.VXLAN.VNI) },
	follows: func(b netconf.Backend, data json.RawMessage) bool {
		d, err := vxlan.ParseData(data)
		return err == nil && d.VNI == b.VXLAN.VNI
	},
	tunnel: func(data json.RawMessage) (Tunnel, bool) {
		d, err := vxlan.ParseData(data)
		return Tunnel{VXLAN, d.VNI}, err == nil
	},
	carriers: func(b netconf.Backend) []firewall.Tunnel {
		return []firewall.Tunnel{{Family: netconf.V4, Port: b.VXLAN.Port}, {Family: netconf.V6, Port: b.VXLAN.Port}}
	},
	pathTo: func(in *Input, p *lease.Lease, f netconf.Family) (Path, error) {
		remote, err := in.remote(p, f)
		if err != nil {
			return Path{}, err
		}
		if !in.direct() || !onLink(in.Host.Uplink.OnLink, remote) {
			return tunnelTo(in, p, f, remote)
		}
		direct := in.directTo(remote)
		if in.Net.Backend.Type == VXLAN {
			t, _ := tunnelTo(in, p, f, remote) // one that is announced wrongly is none
			if direct.MAC, direct.VNI = t.MAC, t.VNI; direct.HasTunnel() {
				direct.Beside = Tunnelled
			}
		}
		return direct, nil
	},
}

// tunnelMAC keeps the MAC that peers know from the lease, else the one the
// device has, else derives one.
func tunnelMAC(seed string, f netconf.Family, vni uint32, before Before) netstate.MAC {
	if d, err := vxlan.ParseData(before.Attrs.Data.Of(f)); err == nil && before.Attrs.Backend == VXLAN && d.VNI == vni {
		return d.MAC
	}
	if before.Have != nil {
		l, ok := before.Have.Links.Find(netstate.Link{Name: owned.DeviceName(f, vni)})
		if ok && l.Kind == netstate.KindVXLAN && l.MAC.IsUnicast() {
			return l.MAC
		}
	}
	return vxlan.DeriveMAC(seed, f, vni)
}

func tunnelTo(in *Input, p *lease.Lease, f netconf.Family, remote netip.Addr) (Path, error) {
	data, err := vxlan.ParseData(p.Data.Of(f))
	if err != nil {
		return Path{}, fmt.Errorf("%w; %s", err, anew(p))
	}
	if !in.speaks(data.VNI) {
		return Path{}, fmt.Errorf("announces vxlan with VNI %d, which the network's config (%s) does not have; see why its agent has not switched, or restart its flanneld; %s", data.VNI, in.Net.Backend, ifGone(p))
	}
	subnet, _ := p.Subnet(f)
	return Path{Kind: Tunnelled, Via: subnet.Addr(), Remote: remote, MAC: data.MAC, VNI: data.VNI}, nil
}

// speaks reports whether this host has, or still has, a tunnel with vni.
func (in *Input) speaks(vni uint32) bool {
	is := func(b netconf.Backend) bool { return b.Type == VXLAN && b.VXLAN.VNI == vni }
	for _, f := range in.Former {
		if is(f.Backend) {
			return true
		}
	}
	return is(in.Net.Backend)
}
