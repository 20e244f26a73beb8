package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/fastpath"
	"github.com/weft-net/weft/internal/plan/firewall"
)

// fastPath adds the programs that carry packets past the kernel's own path, what
// they know of pods, and a note if they cannot be had.
func (b *basis) fastPath(s *netstate.Builder) []Problem {
	mode, reason := fastpath.Decide(b.in.Host, b.fw.Ahead())
	name := firewall.TableName(b.in.Net, b.in.Firewall)
	subnets := slices.Concat(b.in.Self.Subnets, b.in.Draining)
	b.fast = fastpath.New(name, mode, reason, b.in.Host, b.fastTunnel(), subnets)
	if b.fast.On() {
		s.Fast.Paths = append(s.Fast.Paths, b.fast.Path)
		s.Fast.Pods, s.Fast.Hooks = b.fast.Pods(b.in.Host.FastPath.Pods)
		s.Fast.Bridges = b.fast.Bridges
	}
	if reason == "" {
		return nil
	}
	text := "packets between pods take the kernel's own path: %s; see the guide for what the fast path needs, or turn it off (FastPath in the config, --fast-path=off on this host)"
	if b.fast.On() {
		text = "connections take the kernel's own path until they are established: %s; see the guide for what the fast path needs, or turn it off (FastPath in the config, --fast-path=off on this host)"
	}
	return []Problem{{Subject: "fast path", Note: true, Err: fmt.Errorf(text, reason)}}
}

// fastTunnel is the end of the tunnel that packets can be put into by programs:
// the present one over IPv4. Hardware that completes checksums wrongly in tunnels
// would do so here, and a group policy is the kernel's to carry.
func (b *basis) fastTunnel() *fastpath.Tunnel {
	t := b.tunnels[netconf.V4].find(b.in.Net.Backend.VXLAN.VNI)
	if _, broken := b.in.checksum(netconf.V4); t == nil || broken || t.Conf.GBP {
		return nil
	}
	return &fastpath.Tunnel{Local: t.Local, VNI: t.Conf.VNI, Port: t.Conf.Port, MAC: t.MAC}
}

// fastRemote returns what programs know of the path to a peer's subnet.
func (b *basis) fastRemote(f netconf.Family, subnet netip.Prefix, path *Path) (netstate.FastRemote, bool) {
	if !b.fast.On() || path.Kind != Direct && path.Kind != Tunnelled { // programs cannot do others, and must not pass by them
		return netstate.FastRemote{}, false
	}
	r := fastpath.Remote{Subnet: subnet, Host: path.Remote, MTU: path.MTU}
	fits := b.in.Host.Uplink.MTU
	if path.Kind == Tunnelled {
		t := b.tunnels[f].find(path.VNI)
		if t == nil {
			return netstate.FastRemote{}, false
		}
		r.MAC, r.VNI, fits = path.MAC, path.VNI, t.MTU
	}
	if r.MTU == 0 || r.MTU > fits {
		r.MTU = fits
	}
	return b.fast.Remote(r)
}

// withPods returns s with the pods of this host as they are now.
func (b *basis) withPods(s *netstate.State, pods []host.Pod) *netstate.State {
	var rows netstate.Builder
	rows.Fast.Pods, rows.Fast.Hooks = b.fast.Pods(pods)
	now, err := rows.State()
	if err != nil {
		return s // two devices with one address: as before
	}
	out := s.Clone()
	out.Fast.Pods, out.Fast.Hooks = now.Fast.Pods, now.Fast.Hooks
	return out
}
