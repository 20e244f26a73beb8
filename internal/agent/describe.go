package agent

import (
	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
)

// Status implements api.Agent.
func (b *board) Status() api.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := api.Status{
		Version:  b.version,
		Started:  b.started,
		Hostname: b.hostname,
		Revision: b.revision,
		Store:    api.StoreState{Kind: b.storeKind, Up: b.up, Since: b.upSince},
		Pass: api.Pass{
			At: b.last.Start, Took: b.last.Took, Rows: b.last.Rows,
			Changed: len(b.last.Ops), Failed: len(b.last.Failures),
		},
		Counts: b.counts.Clone(),
	}
	if b.upErr != nil {
		s.Store.Error = b.upErr.Error()
	}
	if b.requests != nil {
		s.Store.Requests = b.requests()
	}
	if b.uplink != nil {
		u := b.uplink.Uplink
		s.Uplink = api.Uplink{Name: u.Name, MTU: u.MTU, Addrs: u.Addrs, Reason: u.Reason}
	}
	if b.in != nil {
		describe(&s, *b.in, b.want, b.problems)
		s.Change = b.stage(*b.in)
	}
	s.Lease.Held = b.held
	s.Problems = append(s.Problems, b.faultList()...)
	if err := b.ready(); err != nil {
		s.NotReady = err.Error()
	}
	s.Ready = s.NotReady == ""
	return s
}

func (b *board) faultList() []api.Problem {
	var out []api.Problem
	for _, part := range parts {
		if err := b.faults[part]; err != nil {
			out = append(out, api.Problem{Subject: part, Message: err.Error()})
		}
	}
	for _, r := range b.last.Overtaken {
		out = append(out, overtaken(r))
	}
	for _, e := range b.bad {
		out = append(out, api.Problem{Subject: e.Key, Message: e.Err.Error()})
	}
	return out
}

// describe fills in what follows from a plan.
func describe(s *api.Status, in plan.Input, want *netstate.State, problems []plan.Problem) {
	s.Network = in.Net.Prefixes()
	s.Backend = in.Net.Backend.Type
	s.Direct = in.Net.Backend.VXLAN.DirectRouting
	s.Lease = api.Lease{
		Subnets: in.Self.Subnets, Public: in.Self.Public,
		MTU: plan.MTU(in.Net, in.Host), Reserved: in.Self.Reserved, Drains: in.Drains,
	}
	for _, p := range in.Past {
		s.Former = append(s.Former, p.Network)
	}
	faulty := map[string]string{}
	for _, p := range problems {
		faulty[p.Subject] = p.Err.Error()
		s.Problems = append(s.Problems, api.Problem{Subject: p.Subject, Message: p.Err.Error()})
	}
	for l := range in.Peers.All() {
		if !in.Foreign(&l) {
			continue
		}
		peer := api.Peer{Subnets: l.Subnets, Public: l.Public, Backend: l.Backend, Problem: faulty[lease.FormatSubnets(l.Subnets)]}
		for _, subnet := range l.Subnets {
			peer.Paths = append(peer.Paths, pathOf(in, want, l, subnet))
		}
		s.Peers = append(s.Peers, peer)
	}
}

// stage counts who has followed the config.
func (b *board) stage(in plan.Input) api.Change {
	net := in.Net
	if b.assigned {
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
	for _, f := range in.Former {
		c.Former = append(c.Former, f.Backend.String())
	}
	return c
}
