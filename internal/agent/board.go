package agent

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/host"
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
