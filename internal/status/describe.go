package status

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
)

// Status implements api.Agent.
func (b *Board) Status() api.Status {
	drops, refused, fast := b.guardDrops(), b.refused(), b.fastPath()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := api.Status{
		Version:  b.opts.Version,
		Started:  b.started,
		Hostname: b.opts.Hostname,
		Revision: b.view.Revision, Generation: b.view.Generation,
		Store: api.StoreState{Kind: b.opts.StoreKind, Up: b.up, Since: b.upSince},
		Pass: api.Pass{
			Generation: b.last.Generation, At: b.last.Start, Took: b.last.Took, Rows: b.last.Rows,
			Changed: len(b.last.Ops), Failed: len(b.last.Failures),
		},
		Counts: b.counts.Clone(), GuardDrops: drops, FastPath: fast,
	}
	if b.upErr != nil {
		s.Store.Error = b.upErr.Error()
	}
	if b.opts.Requests != nil {
		s.Store.Requests = b.opts.Requests()
	}
	if b.opts.Answers != nil && b.opts.Answers().IsValid() {
		s.Answers = b.opts.Answers().String()
	}
	if b.view.Uplink != nil {
		u := b.view.Uplink.Uplink
		s.Uplink = api.Uplink{Name: u.Name, MTU: u.MTU, Addrs: u.Addrs, Reason: u.Reason, OnLink: u.OnLink}
		for _, o := range b.view.Uplink.Others {
			s.Uplink.Others = append(s.Uplink.Others, fmt.Sprintf("%s on %s", o.Addr, o.Dev))
		}
	}
	if b.view.Input != nil {
		describe(&s, *b.view.Input, b.view.Desired, b.view.Problems, b.view.Hosts)
		s.Encryption = b.encryption(&s, *b.view.Input, refused)
		b.addReach(&s, *b.view.Input)
		b.addChecksums(&s, *b.view.Input, b.view.Desired)
		s.Change = b.stage(*b.view.Input)
	}
	s.Lease.Held = b.held
	if b.opts.Expires != nil && b.held {
		s.Lease.Expires = b.opts.Expires()
	}
	s.Problems = b.problems()
	ready := b.ready()
	if ready != nil {
		s.NotReady = ready.Error()
	}
	s.Ready, s.State = ready == nil, stateOf(ready, s.Problems)
	return s
}

// describe fills in what follows from a plan.
func describe(s *api.Status, in plan.Input, desired *netstate.State, problems []plan.Problem, hosts lease.HostSet) {
	s.Network = in.Net.Prefixes()
	s.Backend = in.Net.Backend.Type
	s.Direct = in.Net.Backend.DirectRouting()
	s.Lease = api.Lease{
		Subnets: in.Self.Subnets, Public: in.Self.Public,
		MTU: plan.MTU(in.Net, in.Host), Reserved: in.Self.Reserved, Draining: in.Draining,
	}
	for _, p := range in.Previous {
		s.Former = append(s.Former, p.Network)
	}
	faulty := map[string]string{}
	for _, p := range problems {
		faulty[p.Subject] = p.Err.Error()
	}
	for l := range in.Peers.All() {
		if !in.Foreign(&l) || l.Vacant() { // a reservation that nobody holds is no host
			continue
		}
		h, _ := hosts.Find(lease.HostOf(l.Subnets))
		peer := api.Peer{
			Name: h.Name, Version: h.Version,
			Subnets: l.Subnets, Public: l.Public, Backend: l.Backend, Problem: faulty[lease.FormatSubnets(l.Subnets)], OnLink: h.OnLink,
		}
		for _, subnet := range l.Subnets {
			peer.Paths = append(peer.Paths, pathOf(in, desired, l, subnet))
		}
		s.Peers = append(s.Peers, peer)
	}
}

// pathOf says how packets to subnet of l travel; "none" when they do not.
func pathOf(in plan.Input, desired *netstate.State, l lease.Lease, subnet netip.Prefix) api.Path {
	p, err := plan.PathTo(in, l, netconf.FamilyOf(subnet.Addr()))
	_, routed := desired.Routes.Find(netstate.Route{Dst: subnet})
	if err == nil && p.Kind == plan.Elsewhere {
		return api.Path{Subnet: subnet, Kind: string(p.Kind)}
	}
	if err != nil || !routed {
		return api.Path{Subnet: subnet, Kind: noPath}
	}
	return api.Path{Subnet: subnet, Kind: string(p.Kind), Via: p.Via, Dev: p.Dev}
}

// stage counts who has followed the config.
func (b *Board) stage(in plan.Input) api.Change {
	net := in.Net
	if b.opts.Assigned {
		net = net.Assigned()
	}
	all := []lease.Lease{in.Self}
	for l := range in.Peers.All() {
		if in.Foreign(&l) {
			all = append(all, l)
		}
	}
	done, behind := plan.Stage(net, all)
	c := api.Change{Done: done, Total: done + len(behind)}
	for _, l := range behind {
		h, _ := b.view.Hosts.Find(lease.HostOf(l.Subnets))
		c.Behind = append(c.Behind, api.Behind{Name: h.Name, Subnets: l.Subnets, Advertises: plan.Announced(l.Attrs)})
	}
	slices.SortFunc(c.Behind, func(x, y api.Behind) int { return lease.CompareSubnets(x.Subnets, y.Subnets) })
	for _, f := range in.Former {
		c.Former = append(c.Former, f.Backend.String())
	}
	return c
}
