package status

import (
	"net/netip"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/probe"
)

// addReach adds to the peers' paths what probes have shown of them, and the
// paths that could be used and are not.
func (b *Board) addReach(s *api.Status, in plan.Input) {
	if b.opts.Reach == nil {
		return
	}
	for i := range s.Peers {
		p := &s.Peers[i]
		for j := range p.Paths {
			used := &p.Paths[j]
			for _, r := range b.opts.Reach(used.Subnet) {
				switch {
				case string(r.Target.Kind) == used.Kind:
					used.Reach = reachOf(r)
				case used.Kind != noPath:
					p.Others = append(p.Others, otherPath(in, p.Subnets, used.Subnet, r))
				}
			}
		}
	}
}

// noPath is the kind of path to what is not reached.
const noPath = "none"

func otherPath(in plan.Input, subnets []netip.Prefix, subnet netip.Prefix, r probe.Report) api.Path {
	out := api.Path{Subnet: subnet, Kind: string(r.Target.Kind), Dev: r.Target.Dev, Reach: reachOf(r)}
	l, _ := in.Peers.Find(lease.At(subnets))
	paths, _ := plan.PathsTo(in, l, netconf.FamilyOf(subnet.Addr())) // no paths, no gateway
	for _, p := range paths {
		if p.Kind == r.Target.Kind {
			out.Via = p.Via
		}
	}
	return out
}

func reachOf(r probe.Report) api.Reach {
	state := map[plan.Verdict]api.ReachState{plan.Unmeasured: api.ReachUnmeasured, plan.Passes: api.ReachPasses, plan.Lost: api.ReachLost}
	return api.Reach{State: state[r.Verdict], Since: r.Since, Answered: r.Answered, Loss: r.Loss, RTT: r.RTT, MTU: r.MTU}
}

// Paths implements api.Agent.
func (b *Board) Paths() []api.PeerPath {
	b.mu.Lock()
	view := b.view
	b.mu.Unlock()
	out := []api.PeerPath{}
	if view.Input == nil || view.Desired == nil {
		return out
	}
	full := plan.MTU(view.Input.Net, view.Input.Host)
	for l := range view.Input.Peers.All() {
		if !view.Input.Foreign(&l) || l.Vacant() {
			continue
		}
		host, _ := view.Hosts.Find(lease.HostOf(l.Subnets)) // one that does not say has no name
		for _, subnet := range l.Subnets {
			if !view.Desired.Routes.Has(netstate.Route{Dst: subnet}) {
				continue
			}
			for _, t := range probe.Targets(view.Input, &l, netconf.FamilyOf(subnet.Addr())) {
				p := api.PeerPath{
					Name: host.Name, Lease: l.Subnets, Public: l.Public, Subnet: subnet, Kind: string(t.Kind), InUse: t.InUse, Full: full,
					Source: t.Source, Dest: t.Dest, Remote: t.Remote, Dev: t.Dev, VRF: t.VRF,
				}
				if t.MAC != (netstate.MAC{}) {
					p.MAC = t.MAC.String()
				}
				out = append(out, p)
			}
		}
	}
	return out
}
