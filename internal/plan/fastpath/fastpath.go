// Package fastpath says which eBPF programs carry packets between pods past the
// kernel's routing and firewall, and what they know: in which mode a host can
// have them, and the rows for its peers and pods. It is pure and knows nothing
// of leases or of how programs work.
//
// It must not permit what would change anything but speed: where it is not
// certain of that, there is no fast path.
package fastpath

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netstate"
)

// Plan is a host's fast path. The zero Plan has none.
type Plan struct {
	Path    netstate.FastPath // as it is wanted; its Mode is "" if there is to be none
	Reason  string            // why there is none, or not for all flows; "": nothing is in its way
	Subnets []netip.Prefix    // this host's, masked
	Bridges []netstate.FastBridge
}

// Parameters of connection tracking that decide what becomes of flows that
// change between the two paths; Documentation/networking/nf_conntrack-sysctl.rst.
const (
	Liberal = "net/netfilter/nf_conntrack_tcp_be_liberal" // it takes segments for valid that do not fit what it saw
	Loose   = "net/netfilter/nf_conntrack_tcp_loose"      // it takes up connections that it has not seen begin
)

// Decide returns in which mode a host can have a fast path, "" for none, and why
// in no better one. ahead names what sees or changes packets before
// weft's own rule accepts them, "" if nothing does.
func Decide(f host.Facts, ahead string) (mode, reason string) {
	switch {
	case !f.FastPath.Asked:
		return "", ""
	case f.FastPath.Missing != "":
		return "", f.FastPath.Missing
	case f.NoFirewall != "":
		return "", "the host's firewall cannot be read: " + f.NoFirewall
	case f.Uplink.VRF != "":
		return "", fmt.Sprintf("uplink %s belongs to VRF %s", f.Uplink.Name, f.Uplink.VRF)
	case len(f.Diversions) > 0, len(f.Uplink.Unreached) > 0:
		return "", "policy rules of this host route packets of the network or its peers"
	case f.Params[Loose] == "0":
		return "", "net.netfilter.nf_conntrack_tcp_loose=0: connection tracking would take packets that come back to the kernel's path for invalid"
	case ahead == "":
		return netstate.FastAll, ""
	case f.Params[Liberal] == "1":
		return netstate.FastEstablished, ahead
	}
	return "", ahead + ", and with net.netfilter.nf_conntrack_tcp_be_liberal=0 connection tracking would take packets that come back to the kernel's path for invalid"
}

// Tunnel is this host's end of a VXLAN network over IPv4.
type Tunnel struct {
	Local netip.Addr
	VNI   uint32
	Port  uint16 // UDP
	MAC   netstate.MAC
}

// New returns the fast path called name, in a mode that Decide gave.
func New(name, mode, reason string, f host.Facts, t *Tunnel, subnets []netip.Prefix) Plan {
	p := Plan{Reason: reason, Subnets: subnets}
	if mode == "" {
		return p
	}
	p.Path = netstate.FastPath{Name: name, Mode: mode, Dev: f.Uplink.Name, Code: f.FastPath.Code}
	if t != nil {
		p.Path.Local, p.Path.VNI, p.Path.Port, p.Path.MAC = t.Local, t.VNI, t.Port, t.MAC
	}
	p.Bridges = p.bridges(f.FastPath.Bridges)
	return p
}

// bridges returns the rows for those bridges that hold a subnet of this host's.
// A bridge that is the uplink has other hosts behind it, and of two with one
// subnet the kernel's routes decide.
func (p Plan) bridges(all []host.PodBridge) (rows []netstate.FastBridge) {
	for _, b := range all {
		if b.Shaped || b.MTU <= 0 || b.Dev == p.Path.Dev {
			continue
		}
		for _, on := range b.Subnets {
			for _, own := range p.Subnets {
				if dst, ok := common(on, own); ok {
					rows = append(rows, netstate.FastBridge{Path: p.Path.Name, Dst: dst, Dev: b.Dev, MTU: b.MTU})
				}
			}
		}
	}
	sort := func(a, b netstate.FastBridge) int { return a.Compare(b) }
	slices.SortStableFunc(rows, sort)
	rows = slices.Compact(rows)
	return slices.DeleteFunc(slices.Clone(rows), func(r netstate.FastBridge) bool {
		i, _ := slices.BinarySearchFunc(rows, r, sort)
		return i+1 < len(rows) && rows[i+1].Compare(r) == 0
	})
}

// common returns what is in both a and b.
func common(a, b netip.Prefix) (netip.Prefix, bool) {
	if !a.Overlaps(b) {
		return netip.Prefix{}, false
	}
	if a.Bits() > b.Bits() {
		return a, true
	}
	return b, true
}

// On reports whether there is a fast path.
func (p Plan) On() bool { return p.Path.Mode != "" }

// Remote is how packets to a peer's subnet travel.
type Remote struct {
	Subnet netip.Prefix
	Host   netip.Addr   // the peer's public address
	MAC    netstate.MAC // of the peer's end of the tunnel; zero: the path is direct
	VNI    uint32
	MTU    int // bytes
}

// Remote returns the row for a peer's subnet, if there is a fast path; false if
// its packets take the kernel's path.
func (p Plan) Remote(r Remote) (netstate.FastRemote, bool) {
	tunnelled := r.MAC != netstate.MAC{}
	if tunnelled && (!p.Path.Local.IsValid() || r.VNI != p.Path.VNI || !r.Host.Is4()) || r.MTU <= 0 {
		return netstate.FastRemote{}, false
	}
	return netstate.FastRemote{Path: p.Path.Name, Dst: r.Subnet, Host: r.Host, MAC: r.MAC, MTU: r.MTU}, true
}

// Pods returns the rows for those of pods that are reached as veths are, and
// nothing more: with a queueing discipline at its end packets take the kernel's
// path. Programs are attached where there are pods for them, and at bridges.
func (p Plan) Pods(pods []host.Pod) (rows []netstate.FastPod, hooks []netstate.FastHook) {
	if !p.On() {
		return nil, nil
	}
	for _, pod := range pods {
		own := slices.ContainsFunc(p.Subnets, func(s netip.Prefix) bool { return s.Contains(pod.Addr) })
		if !own || pod.Shaped || pod.MTU <= 0 {
			continue
		}
		rows = append(rows, netstate.FastPod{Path: p.Path.Name, Addr: pod.Addr, Dev: pod.Dev, MAC: pod.MAC, Via: pod.Via, MTU: pod.MTU})
		hook := netstate.FastHook{Path: p.Path.Name, Dev: pod.Dev, Point: netstate.FastFromPod}
		if !slices.Contains(hooks, hook) {
			hooks = append(hooks, hook)
		}
	}
	for _, b := range p.Bridges {
		hook := netstate.FastHook{Path: p.Path.Name, Dev: b.Dev, Point: netstate.FastAtBridge}
		if !slices.Contains(hooks, hook) {
			hooks = append(hooks, hook)
		}
	}
	if len(hooks) > 0 {
		hooks = append(hooks, netstate.FastHook{Path: p.Path.Name, Dev: p.Path.Dev, Point: netstate.FastFromWire})
	}
	return rows, hooks
}
