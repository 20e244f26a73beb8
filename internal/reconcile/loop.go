package reconcile

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/netstate"
)

// Loop keeps the kernel equal to the latest Want. It writes nothing before
// the first one.
type Loop struct {
	Kernel Kernel
	Log    *slog.Logger
	Resync time.Duration          // the kernel is observed in full at least this often
	Report func(Pass)             // called after every pass; must return soon
	Facts  func()                 // called when facts of the host may have changed; must return soon
	Drift  func([]netstate.Event) // called when somebody changed objects of ours; not empty; must return soon
}

// Bounds of the loop's own timing.
const (
	minLook    = 100 * time.Millisecond // between two observations that events ask for
	firstRetry = 200 * time.Millisecond
	maxRetry   = 30 * time.Second
	proven     = 10 * time.Second // a watch that lasted so long does not count as failed when it ends
)

// Run makes the kernel equal to what arrives on wants until ctx ends; it then
// leaves everything as it is and returns ctx's error.
func (l *Loop) Run(ctx context.Context, wants <-chan Want) error {
	box := newInbox()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.watch(ctx, box) })
	group.Go(func() error { return l.reconcile(ctx, wants, box) })
	return group.Wait()
}

// watch feeds box, and begins again when the kernel's reports end.
func (l *Loop) watch(ctx context.Context, box *inbox) error {
	pause := backoff.Backoff{First: firstRetry, Most: maxRetry}
	for {
		start := time.Now()
		err := l.Kernel.Watch(ctx, box.put)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.Log.Warn("watching the kernel ended; retrying", "error", err)
		if time.Since(start) >= proven {
			pause.Reset()
		}
		if err := pause.Wait(ctx); err != nil {
			return err
		}
	}
}

// progress is the loop's state between two passes.
type progress struct {
	want   Want
	have   netstate.Actual // as last known; without a State before the first observation
	doubt  netstate.Kinds  // what of have may not hold any more
	looked time.Time
	stood  bool          // the desired state has been in place
	retry  time.Duration // 0: the last pass worked
	moved  bool          // the last pass changed a device, so the kernel speaks of what went with it
	limit  limiter
}

func (l *Loop) reconcile(ctx context.Context, wants <-chan Want, box *inbox) error {
	resync := time.NewTicker(l.Resync)
	defer resync.Stop()
	again := newAlarm()
	var p progress
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case w := <-wants:
			p.take(w)
		case <-box.ready:
			if !l.news(&p, box.take()) {
				continue
			}
			if wait := minLook - time.Since(p.looked); wait > 0 {
				again.within(wait)
				continue
			}
		case <-resync.C:
			p.doubt = netstate.AllKinds
		case <-again.timer.C:
			again.rang()
		}
		if p.want.State == nil {
			continue
		}
		if wait := l.pass(ctx, &p); wait > 0 {
			again.within(wait)
		}
	}
}

// alarm rings once, at the earliest time that was asked for.
type alarm struct {
	timer *time.Timer
	at    time.Time // zero: not set
}

func newAlarm() *alarm {
	a := &alarm{timer: time.NewTimer(time.Hour)}
	a.timer.Stop()
	return a
}

func (a *alarm) within(d time.Duration) {
	if at := time.Now().Add(d); a.at.IsZero() || at.Before(a.at) {
		a.at = at
		a.timer.Reset(d)
	}
}

func (a *alarm) rang() { a.at = time.Time{} }

// take makes w the goal. What is known of the kernel holds on as long as the
// same objects are asked about.
func (p *progress) take(w Want) {
	if !p.want.Scope.Equal(w.Scope) {
		p.have, p.doubt = netstate.Actual{}, netstate.AllKinds
	}
	p.want = w
	p.stood, p.retry = false, 0
}

// news reports whether events tell of something that the loop does not know
// and has to look at now.
func (l *Loop) news(p *progress, events []netstate.Event) bool {
	fresh := false
	var drift []netstate.Event
	now := time.Now()
	for _, e := range events {
		if e.Facts {
			l.Facts()
		}
		if e.Row == nil {
			p.doubt, fresh = netstate.AllKinds, true
			continue
		}
		if p.have.State == nil || !p.have.News(e) {
			continue
		}
		drift = append(drift, e)
		// While a pass waits to be retried, objects that stand are repaired as
		// ever; but what a failing try leaves behind is no reason for the next.
		if p.retry > 0 && p.have.Find(e.Row) == nil {
			continue
		}
		p.doubt |= netstate.KindsWith(e.Row)
		fresh = l.urgent(p, e, now) || fresh
	}
	if len(drift) > 0 && !p.moved {
		l.Drift(drift)
	}
	p.moved = false
	return fresh
}

// urgent reports whether the object that e speaks of is to be looked at now:
// unless its repair is put off.
func (l *Loop) urgent(p *progress, e netstate.Event, now time.Time) bool {
	desired := p.want.State.Find(e.Row)
	if desired == nil {
		return true
	}
	p.limit.changed(desired, e, now)
	return !p.limit.waits(desired, now)
}

// pass makes the kernel equal to the goal, reports, and returns the delay
// until the next try; 0 if none is needed.
func (l *Loop) pass(ctx context.Context, p *progress) time.Duration {
	start := time.Now()
	done := Pass{Generation: p.want.Generation, Repair: p.stood, Start: start, Rows: p.want.State.Len()}
	wait := time.Duration(0)
	if done.Err = l.observe(ctx, p); done.Err == nil {
		wait = l.attempt(ctx, p, &done)
	}
	if ctx.Err() != nil {
		return 0
	}
	done.Took = time.Since(start)
	p.moved = slices.ContainsFunc(done.Ops, func(o netstate.Op) bool {
		_, device := o.Row.(netstate.Link)
		return device
	})
	p.conclude(done)
	l.Report(done)
	if p.retry > 0 && (wait == 0 || p.retry < wait) {
		wait = p.retry
	}
	return wait
}

// observe looks at what is in doubt.
func (l *Loop) observe(ctx context.Context, p *progress) error {
	if p.doubt == 0 && p.have.State != nil {
		return nil
	}
	p.looked = time.Now()
	kinds := p.doubt
	if p.have.State == nil {
		kinds = netstate.AllKinds
	}
	found, err := l.Kernel.Observe(ctx, p.want.Scope, kinds)
	if err != nil {
		return err
	}
	if p.have.State != nil {
		found = p.have.Replaced(kinds, found)
	}
	p.have, p.doubt = netstate.Observed(found), 0
	return nil
}

// attempt carries out what leads to the goal, as far as that may be done, and
// returns the delay until more may be.
func (l *Loop) attempt(ctx context.Context, p *progress, done *Pass) (wait time.Duration) {
	ops := netstate.Diff(p.have.State, p.want.State)
	done.Overtaken = p.have.Overtaken(p.want.State)
	if p.want.KeepStale {
		ops = careful(ops)
	}
	if done.Held = brake(p.have, p.want, ops); done.Held != nil {
		return 0
	}
	ops, done.Contested, wait = p.limit.allow(ops, time.Now())
	done.change(ctx, l.Kernel, p.have.State, ops)
	return wait
}

// conclude notes what is known after a pass.
func (p *progress) conclude(done Pass) {
	switch {
	case done.Err != nil:
		p.retry = min(max(2*p.retry, firstRetry), maxRetry)
	case done.Converged() && !p.want.KeepStale:
		p.have = p.have.Settle(p.want.State)
		p.stood, p.retry = true, 0
	default:
		p.have = p.have.With(done.Ops)
		p.stood = p.stood || len(done.Failures) == 0 && done.Held == nil
		p.retry = p.nextRetry(done)
	}
}

// nextRetry is the pause after a pass that did not converge. What failed is
// looked at again before the next try.
func (p *progress) nextRetry(done Pass) time.Duration {
	if len(done.Failures) == 0 {
		return 0
	}
	for _, f := range done.Failures {
		p.doubt |= netstate.KindsWith(f.Op.Row)
	}
	return min(max(2*p.retry, firstRetry), maxRetry)
}
