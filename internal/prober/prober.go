// Package prober runs a probe.Engine: it sends what the engine asks for,
// brings it the answers, and hands on what is found out about paths. It decides
// nothing itself.
package prober

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/kernel/echo"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/mailbox"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/probe"
)

// Wire is where echo requests leave and answers arrive; echo.Conn is one. It is
// used by one goroutine.
type Wire interface {
	Send(echo.Request) error
	Receive(func(echo.Answer)) // what has arrived; does not wait
	Close() error

	Try(echo.Trial) error
	Refused(func(echo.Refusal)) // of what was tried; does not wait

	// Reflect answers requests of other agents by the way that they come, until
	// ctx ends. It is for a goroutine of its own.
	Reflect(ctx context.Context, ways echo.Ways) error
}

// Update is what paths follow from.
type Update struct {
	Input     *plan.Input     // nil before the first plan
	Desired   *netstate.State // of the plan
	Hosts     lease.HostSet   // names of the peers
	Converged bool            // the kernel has had a plan once: before, packets would go astray
}

// Findings are all that is known.
type Findings struct {
	Proofs    plan.Proofs
	Checksums []plan.Checksum // that were found wrong since the start
}

// Prober probes the paths to peers. Updates are to be put in, Findings to be
// taken out; all else is for Run.
type Prober struct {
	Updates  mailbox.Mailbox[Update]
	Findings mailbox.Mailbox[Findings]

	open func() (Wire, error) // nil: nothing is probed
	log  *slog.Logger

	mu     sync.Mutex // Run works while others read reports
	engine *probe.Engine
	found  Findings
	update Update
	wire   Wire // nil until it is needed
	mute   bool // there is none to be had

	reflecting sync.WaitGroup
}

// New returns a prober that opens its wire when there is something to send, and
// does nothing if open is nil.
// Without CAP_NET_RAW open fails with os.ErrPermission.
func New(open func() (Wire, error), log *slog.Logger) *Prober {
	return &Prober{
		Updates: mailbox.New[Update](), Findings: mailbox.New[Findings](), open: open, log: log,
		engine: probe.New(time.Now(), rand.Float64),
	}
}

// Report returns what is known of the paths to a peer's subnet, the preferred
// one first. It is safe for concurrent use.
func (p *Prober) Report(subnet netip.Prefix) []probe.Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.engine.Report(subnet)
}

// Run probes until ctx ends.
func (p *Prober) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer p.close()
	defer p.reflecting.Wait() // which ctx has ended
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case u := <-p.Updates:
			p.take(ctx, u)
		case <-timer.C:
		}
		timer.Reset(time.Until(p.turn()))
	}
}

func (p *Prober) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wire != nil {
		_ = p.wire.Close() // nothing is lost that was not sent before
	}
}

// take goes by an update.
func (p *Prober) take(ctx context.Context, u Update) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.update
	p.update = u
	if was.Input == u.Input && was.Desired == u.Desired && was.Converged == u.Converged {
		return
	}
	view := probe.View{}
	if u.Input != nil && u.Desired != nil && u.Converged && p.opened(ctx, u.Input) {
		view = probe.View{Input: u.Input, Interval: u.Input.Net.Probe.Interval, Routed: func(subnet netip.Prefix) bool {
			return u.Desired.Routes.Has(netstate.Route{Dst: subnet})
		}}
	}
	p.engine.Update(view, time.Now())
}

// opened opens the wire if it is needed, and reports whether it can be used.
func (p *Prober) opened(ctx context.Context, in *plan.Input) bool {
	if p.wire != nil || p.open == nil || p.mute || in.Net.Probe.Interval == 0 {
		return p.wire != nil
	}
	wire, err := p.open()
	if err != nil {
		p.mute = true
		p.log.Warn("cannot probe paths; they stay unmeasured. Give the agent CAP_NET_RAW, or set Probe.Interval to 0s", event.Attr, string(event.Problem), "error", err)
		return false
	}
	p.wire = wire
	p.reflecting.Go(func() {
		if err := wire.Reflect(ctx, p.ways); ctx.Err() == nil {
			p.log.Warn("cannot answer the probes of other agents", event.Attr, string(event.Problem), "error", err)
		}
	})
	return true
}

// ways returns the ways between an address of a peer and one of this host.
func (p *Prober) ways(from, to netip.Addr) (out []echo.Way) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.engine.Targets(from, to) {
		out = append(out, echo.Way{Dev: t.Dev, MAC: t.MAC, Next: t.Remote, Carrier: t.Carrier})
	}
	return out
}

// turn does what is due, and returns when the next turn is.
func (p *Prober) turn() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wire != nil {
		p.wire.Receive(func(a echo.Answer) {
			p.engine.Answer(probe.Answer{Seq: a.Seq, From: a.From, RTT: a.RTT}, time.Now())
		})
	}
	for _, r := range p.engine.Tick(time.Now()) {
		if err := p.wire.Send(RequestOf(r)); err != nil {
			p.engine.Outcome(r.Seq, outcomeOf(err), time.Now())
		}
	}
	p.tryChecksums()
	for _, s := range p.engine.Slower() {
		p.tellSlower(s)
	}
	wrong, more := p.engine.Checksums()
	if news := p.engine.News(time.Now()); more || len(news) > 0 {
		p.hand(news, wrong)
	}
	now := time.Now()
	return p.engine.Next(now)
}

// hand puts out what is known, with what is new of paths, and the checksums that
// were found wrong.
func (p *Prober) hand(news []plan.Proof, wrong []plan.Checksum) {
	known := p.found.Proofs.Edit()
	for _, one := range news {
		if one.Verdict == plan.Unmeasured {
			known.Remove(one)
		} else {
			known.Put(one)
		}
	}
	p.found = Findings{known.Set(), wrong}
	p.Findings.Put(p.found)
}

func (p *Prober) tellSlower(s probe.Slower) {
	attrs := []any{event.Attr, string(event.PathSlower)}
	if h, ok := p.update.Hosts.Find(lease.HostOf(s.Subnets)); ok && h.Name != "" {
		attrs = append(attrs, "peer", h.Name)
	}
	p.log.Warn("path to peer has become slower", append(attrs,
		"subnet", lease.FormatSubnets(s.Subnets), "path", string(s.Kind), "family", s.Family.String(), "from", s.From, "to", s.To)...)
}

// RequestOf returns what to send for a request of an engine. What is in use is
// routed by the kernel, as packets of containers are.
func RequestOf(r probe.Request) echo.Request {
	t := r.Target
	out := echo.Request{Seq: r.Seq, Size: r.Size, Source: t.Source, Dest: t.Dest, VRF: t.VRF, Reflect: t.Beside}
	if !t.InUse {
		out.Dev, out.MAC, out.Next, out.Carrier = t.Dev, t.MAC, t.Remote, t.Carrier
	}
	return out
}

func outcomeOf(err error) probe.Outcome {
	switch {
	case errors.Is(err, echo.ErrTooBig):
		return probe.TooBig
	case errors.Is(err, echo.ErrNoWay):
		return probe.NoWay
	}
	return probe.Unsent
}
