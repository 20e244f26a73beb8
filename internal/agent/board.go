package agent

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/store"
)

// board is where the agent's parts pin up how they get on, and where status,
// health and metrics read it. It implements api.Agent.
type board struct {
	version, hostname, storeKind string
	started                      time.Time

	assigned bool // by the store's system are subnets
	pages    *pages
	trouble  func(part string, err error) // may be nil
	requests func() map[string]int        // may be nil

	mu       sync.Mutex
	in       *plan.Input // nil before the first plan
	want     *netstate.State
	revision int64
	problems []plan.Problem
	bad      []store.Entry
	uplink   *host.Facts
	faults   map[string]error // by the part that has it; nil values are gone
	held     bool
	up       bool
	upSince  time.Time
	upErr    error
	last     reconcile.Pass
	passed   bool
	counts   api.Counts
}

// The parts that can have a fault, in the order in which readiness names them.
var parts = []string{"config", "claim", "uplink", "announcement", "lease", "kernel", "subnet file"}

func newBoard(o Options, journal *pages) *board {
	return &board{
		version:   o.Version,
		hostname:  o.Hostname,
		storeKind: o.StoreKind,
		assigned:  o.Assigned,
		started:   time.Now(),
		pages:     journal,
		trouble:   o.Trouble,
		requests:  o.Requests,
		upSince:   time.Now(),
		faults:    map[string]error{},
		counts:    api.NewCounts(),
	}
}

func (b *board) fault(part string, err error) {
	if b.trouble != nil {
		b.trouble(part, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults[part] = err
}

func (b *board) config(err error)     { b.fault("config", err) }
func (b *board) announce(err error)   { b.fault("announcement", err) }
func (b *board) subnetFile(err error) { b.fault("subnet file", err) }

func (b *board) facts(f *host.Facts, err error) {
	b.fault("uplink", err)
	b.mu.Lock()
	defer b.mu.Unlock()
	if f != nil {
		b.uplink = f
	}
}

func (b *board) holding(h holding) {
	b.fault("lease", h.err)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = h.held
}

func (b *board) store(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if up := err == nil; up != b.up {
		b.up, b.upSince = up, time.Now()
	}
	b.upErr = err
}

func (b *board) strangers(bad []store.Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bad = bad
}

func (b *board) plan(in plan.Input, want *netstate.State, problems []plan.Problem, revision int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.in, b.want, b.problems, b.revision = &in, want, problems, revision
}

func (b *board) input() *plan.Input {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.in
}

// pass takes note of p and reports whether it is the first that went through.
func (b *board) pass(p reconcile.Pass) (first bool) {
	b.fault("kernel", passError(p))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count(p)
	b.last = p
	first = !b.passed && p.Err == nil
	b.passed = b.passed || first
	return first
}

func (b *board) count(p reconcile.Pass) {
	b.counts.Passes++
	b.counts.Failures += len(p.Failures)
	if p.Err != nil {
		b.counts.Failures++
	}
	for _, o := range p.Ops {
		b.counts.Ops[api.OpLabel(o)]++
		if p.Repair {
			b.counts.Repairs[api.OpLabel(o)]++
		}
	}
}

func (b *board) drift(events []netstate.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range events {
		b.counts.Drift[api.DriftLabel(e)]++
	}
}

func passError(p reconcile.Pass) error {
	switch n := len(p.Failures); {
	case p.Err != nil:
		return p.Err
	case n == 1:
		return p.Failures[0]
	case n > 1:
		return fmt.Errorf("%d rows are not in place, the first: %w", n, p.Failures[0])
	}
	return nil
}

// Ready implements api.Agent.
func (b *board) Ready() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ready()
}

func (b *board) ready() error {
	for _, part := range parts {
		if err := b.faults[part]; err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	switch {
	case !b.held && !b.up && b.upErr != nil:
		return fmt.Errorf("store: %w", b.upErr)
	case !b.held:
		return errors.New("lease: none held yet")
	case !b.passed:
		return errors.New("kernel: the first plan is not applied yet")
	}
	return nil
}

// Events implements api.Agent.
func (b *board) Events(after int64) []api.Event { return b.pages.after(after) }

// Plan implements api.Agent.
func (b *board) Plan() *netstate.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.want
}

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
	for i := range in.Peers {
		l := in.Peers[i]
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
	for i := range in.Peers {
		if in.Foreign(&in.Peers[i]) {
			all = append(all, in.Peers[i])
		}
	}
	done, behind := plan.Stage(net, all)
	c := api.Change{Done: done, Total: done + len(behind)}
	for _, f := range in.Former {
		c.Former = append(c.Former, f.Backend.String())
	}
	return c
}
