package reconcile

import (
	"context"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/netstate"
)

// take makes w the goal. What is known of the kernel holds on as long as the
// same objects are asked about.
func (p *progress) take(w Want) {
	if !p.want.Scope.Equal(w.Scope) {
		p.have, p.doubt = netstate.Actual{}, netstate.AllKinds
		p.retry.hasten(time.Now())
	}
	p.want, p.stood = w, false
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
		if e.Only {
			continue
		}
		if e.Row == nil {
			p.doubt, fresh = netstate.AllKinds, true
			p.retry.hasten(now)
			if byProgram(e) {
				p.other = e
			}
			continue
		}
		if p.have.State == nil || !p.have.News(e) {
			continue
		}
		drift = append(drift, e)
		// What a failing try leaves behind is no reason for the next.
		if p.retry.fails(netstate.Identity(e.Row)) && p.have.Find(e.Row) == nil {
			continue
		}
		p.doubt |= netstate.KindsWith(e.Row)
		fresh = p.limit.changed(p.want.State.Find(e.Row), e, now) || fresh
	}
	if len(drift) > 0 && !p.moved {
		l.Drift(drift)
	}
	p.moved = false
	return fresh
}

// pass makes the kernel equal to the goal, reports, and returns the delay
// until the next try; 0 if none is needed.
func (l *Loop) pass(ctx context.Context, p *progress) time.Duration {
	start := time.Now()
	done := Pass{Generation: p.want.Generation, Repair: p.stood, Start: start, Rows: p.want.State.Len()}
	wait := time.Duration(0)
	if done.Err = l.observe(ctx, p, start); done.Err == nil {
		wait = l.attempt(ctx, p, &done)
	}
	if ctx.Err() != nil {
		return 0
	}
	done.Took = time.Since(start)
	p.conclude(done)
	l.Report(done)
	if retry := p.retry.wait(time.Now()); retry > 0 && (wait == 0 || retry < wait) {
		wait = retry
	}
	return wait
}

// observe looks at what is in doubt. What failed is looked at before it is
// tried again.
func (l *Loop) observe(ctx context.Context, p *progress, now time.Time) error {
	if p.retry.open(now) {
		p.doubt |= p.retry.kinds()
	}
	kinds := p.doubt
	if p.have.State == nil {
		kinds = netstate.AllKinds
	}
	if kinds == 0 {
		return nil
	}
	p.looked = now
	if kinds == netstate.AllKinds {
		fullLooks.refill(&p.full, now)
		p.full.take()
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
	} else if done.Held = brake(p.have, p.want); done.Held != nil {
		return 0
	}
	ops, done.Failures = p.retry.putOff(ops, done.Start)
	program := netstate.Event{}
	if p.stood {
		program = p.other
	}
	p.other = netstate.Event{}
	ops, done.Contested, wait = p.limit.allow(ops, p.want.State, program, p.retry.fails, done.Start)
	done.change(ctx, l.Kernel, p.have.State, ops)
	return wait
}

// conclude notes what is known after a pass.
func (p *progress) conclude(done Pass) {
	p.retry.note(done, done.Start)
	p.moved = slices.ContainsFunc(done.Ops, func(o netstate.Op) bool {
		_, device := o.Row.(netstate.Link)
		return device
	})
	if p.moved {
		p.retry.hasten(time.Now())
	}
	switch {
	case done.Err != nil:
	case done.Converged() && !p.want.KeepStale:
		p.have = p.have.Settle(p.want.State)
		p.stood = true
	default:
		p.have = p.have.With(done.Ops)
		p.stood = p.stood || len(done.Failures) == 0 && done.Held == nil
	}
}
