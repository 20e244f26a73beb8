package status

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/probe"
	"github.com/weft-net/weft/internal/reconcile"
)

// Options is what a Board is told once.
type Options struct {
	Version   string
	Hostname  string
	StoreKind string                            // "etcd", "embedded", "kubernetes"
	Assigned  bool                              // the store's system assigns subnets
	Events    *Events                           // what `weft events` shows
	Trouble   func(part string, err error)      // called when a part has a fault or a subject a problem, or with nil none; returns at once; may be nil
	Reach     func(netip.Prefix) []probe.Report // what probes know of the paths to a peer's subnet; may be nil
	Checksums func() []probe.ChecksumReport     // what trials have shown of the checksums of tunnelled packets; may be nil
	Requests  func() map[string]int             // what the store has been asked for, by verb; may be nil
	Count     Counter                           // of what the guard has dropped, and of what was not sent in clear; may be nil
	FastPath  FastCounter                       // may be nil
	UserSpace func(device string) bool          // whether a process in user space carries a WireGuard device; may be nil
	Answers   func() netip.AddrPort             // where agents of other hosts are answered, zero: nowhere; may be nil
	Expires   func() time.Time                  // when the held lease ends without renewal, zero: never or unknown; may be nil
}

// FastCounter returns what became of packets that the programs of a fast path saw:
// how many they took, and how many were left to the kernel, by why.
type FastCounter func(path string) (fast uint64, slow map[string]uint64, err error)

// Counter returns how many packets the rules of a chain of ours have counted. It does
// not wait for anything but the kernel.
type Counter func(ctx context.Context, table, chain string) (uint64, error)

// Board is where the agent's parts note how they do, and where status, health
// and metrics read it. It implements api.Agent and is safe for concurrent use.
type Board struct {
	opts    Options
	started time.Time

	mu       sync.Mutex
	view     intent.View
	faults   map[string]error // by the part that has it; nil values are over
	reported map[string]error // problems told to Options.Trouble, by subject
	held     bool             // the lease
	up       bool             // the store
	upSince  time.Time
	upErr    error
	last     reconcile.Pass
	reached  uint64 // the newest generation by which this host can be reached
	counts   api.Counts
}

// Parts that can have a fault.
const (
	partConfig       = "config"
	partLock         = "host lock"
	partUplink       = "uplink"
	partAnnouncement = "announcement"
	partPlan         = "plan"
	partLease        = "lease"
	partKernel       = "kernel"
	partSubnetFile   = "subnet file"
)

// Parts whose fault costs something that packets do not need.
const partStateDir = "state directory"

// lesser are these parts, in the order in which status names them.
var lesser = []string{partStateDir}

// parts is the order in which readiness names them.
var parts = []string{partConfig, partLock, partUplink, partAnnouncement, partPlan, partLease, partKernel, partSubnetFile}

// NewBoard returns the board of an agent that starts now.
func NewBoard(o Options) *Board {
	return &Board{opts: o, started: time.Now(), upSince: time.Now(), faults: map[string]error{}, counts: api.NewCounts()}
}

// Step notes what a step concluded.
func (b *Board) Step(v intent.View) {
	b.mu.Lock()
	defer b.mu.Unlock()
	news := !sameProblems(b.view.Problems, v.Problems)
	b.view = v
	if news {
		b.report()
	}
	b.fault(partConfig, v.Faults.Config)
	b.fault(partLock, v.Faults.Locks)
	b.fault(partUplink, v.Faults.Uplink)
	b.fault(partAnnouncement, v.Faults.Announcement)
	b.fault(partPlan, v.Faults.Plan)
}

// Store notes whether the store answers: err is nil while it does. It returns
// err as it is to be shown: until the store has been heard, it is waited for.
func (b *Board) Store(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var waits interface {
		error
		Waiting() string
	}
	if !b.view.Heard && errors.As(err, &waits) && waits.Waiting() != "" {
		err = &waitingError{text: waits.Waiting(), cause: err}
	}
	if up := err == nil; up != b.up {
		b.up, b.upSince = up, time.Now()
	}
	b.upErr = err
	return err
}

// waitingError says what the agent waits for.
type waitingError struct {
	text  string
	cause error
}

func (e *waitingError) Error() string { return e.text }
func (e *waitingError) Unwrap() error { return e.cause }

// Lease notes whether the lease is held, and why not if that is known.
func (b *Board) Lease(held bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = held
	b.fault(partLease, err)
}

// Held reports whether the lease is held.
func (b *Board) Held() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// SubnetFile notes whether subnet.env could be written.
func (b *Board) SubnetFile(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault(partSubnetFile, err)
}

// StateDir notes whether the state directory could be written.
func (b *Board) StateDir(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault(partStateDir, err)
}

// Pass notes a pass of the reconcile loop.
func (b *Board) Pass(p reconcile.Pass) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault(partKernel, p.Fault())
	b.count(p)
	news := len(p.Contested)+len(p.Overtaken)+len(b.last.Contested)+len(b.last.Overtaken) > 0
	b.last = p
	if news {
		b.report()
	}
	if p.Receives() {
		b.reached = max(b.reached, p.Generation)
	}
}

// Drift notes what others did to objects of ours that were restored.
func (b *Board) Drift(events []netstate.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range events {
		b.counts.Drift[api.DriftLabel(e)]++
	}
}

// fault wants b.mu held.
func (b *Board) fault(part string, err error) {
	if err == nil && b.faults[part] == nil {
		return
	}
	b.faults[part] = err
	if b.opts.Trouble != nil {
		b.opts.Trouble(part, err)
	}
}

func (b *Board) count(p reconcile.Pass) {
	b.counts.Passes++
	b.counts.Failures += len(p.Failures)
	if p.Err != nil {
		b.counts.Failures++
	}
	for _, o := range p.Ops {
		label := api.OpLabel(o)
		b.counts.Ops[label]++
		if p.Repair {
			b.counts.Repairs[label]++
		}
	}
}

// Ready implements api.Agent: nil while the lease is held, the kernel carries
// what this host announces, and no part has a fault.
func (b *Board) Ready() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ready()
}

func (b *Board) ready() error {
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
	}
	return b.reachable()
}

// Reachable returns nil while this host can be reached as it announces, else
// the reason.
func (b *Board) Reachable() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.reachable(); err != nil {
		if fault := b.faults[partKernel]; fault != nil {
			return fmt.Errorf("%s: %w", partKernel, fault)
		}
		return err
	}
	return nil
}

func (b *Board) reachable() error {
	switch {
	case b.view.Input == nil:
		return errors.New("kernel: there is no plan yet")
	case b.reached < b.view.Receiving || !b.last.Receives() && b.last.Held == nil: // of a held plan nothing was applied, what stood before stands
		return errors.New("kernel: the plan is not applied yet")
	}
	return nil
}

// Events implements api.Agent.
func (b *Board) Events(after int64) []api.Event { return b.opts.Events.After(after) }

// Plan implements api.Agent.
func (b *Board) Plan() *netstate.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.view.Desired
}
