package reconcile

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weft-net/weft/internal/netstate"
)

// Loop keeps the kernel equal to the latest Want. It writes nothing before
// the first one.
type Loop struct {
	Kernel Kernel
	Log    *slog.Logger
	Resync time.Duration          // a full look at the kernel at least this often
	Report func(Pass)             // called after every pass; must return soon
	Facts  func()                 // called when facts of the host may have changed; must return soon
	Drift  func([]netstate.Event) // called when somebody changed rows of ours; not empty; must return soon
}

// Bounds of the loop's own timing.
const (
	minLook    = 100 * time.Millisecond // between two full looks that events ask for
	firstRetry = 200 * time.Millisecond
	maxRetry   = 30 * time.Second
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

// watch feeds box, and begins again when the kernel's reports break off.
func (l *Loop) watch(ctx context.Context, box *inbox) error {
	for wait := firstRetry; ; wait = min(2*wait, maxRetry) {
		err := l.Kernel.Watch(ctx, box.put)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.Log.Warn("watching the kernel broke off; trying again", "error", err, "wait", wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// turn is the loop's state between two passes.
type turn struct {
	want   Want
	have   netstate.Actual // without a State: must be looked at
	past   *netstate.State // what have was until it was put in doubt, to tell what others change meanwhile; or nil
	looked time.Time
	stood  bool          // want has been in place
	retry  time.Duration // 0: the last pass worked
	moved  bool          // the last pass changed a device, so the kernel speaks of what went with it
}

func (l *Loop) reconcile(ctx context.Context, wants <-chan Want, box *inbox) error {
	resync := time.NewTicker(l.Resync)
	defer resync.Stop()
	again := time.NewTimer(time.Hour)
	again.Stop()
	var t turn
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case w := <-wants:
			t.take(w)
		case <-box.ready:
			if !l.news(&t, box.take()) {
				continue
			}
			if wait := minLook - time.Since(t.looked); wait > 0 {
				again.Reset(wait)
				continue
			}
		case <-resync.C:
			t.have = netstate.Actual{}
		case <-again.C:
		}
		if t.want.State == nil {
			continue
		}
		if wait := l.pass(ctx, &t); wait > 0 {
			again.Reset(wait)
		}
	}
}

// take makes w the goal. What is known of the kernel holds on as long as the
// same rows are asked about.
func (t *turn) take(w Want) {
	if !t.want.Scope.Equal(w.Scope) {
		t.have, t.past = netstate.Actual{}, nil
	}
	t.want = w
	t.stood, t.retry = false, 0
}

// news reports whether events tell of something that the loop does not know,
// and forgets what it knows if so.
func (l *Loop) news(t *turn, events []netstate.Event) bool {
	fresh := false
	var drift []netstate.Event
	for _, e := range events {
		if e.Facts {
			l.Facts()
		}
		known := t.have.State
		if known == nil {
			known = t.past
		}
		news := known != nil && known.News(e)
		if e.Row != nil && news {
			drift = append(drift, e)
		}
		// While a pass waits to be tried again the kernel's "look" may be the
		// very thing it waits for, and rows that stand are healed as ever; but
		// what a failing try leaves behind is no reason for the next.
		fresh = fresh || e.Row == nil || news && (t.have.State != nil || known.Find(e.Row) != nil)
	}
	if len(drift) > 0 && !t.moved {
		l.Drift(drift)
	}
	t.moved = false
	if fresh && t.have.State != nil {
		t.have, t.past = netstate.Actual{}, t.have.State
	}
	return fresh
}

// pass makes the kernel equal to the goal, reports, and returns after what
// time to try again; 0 if it worked.
func (l *Loop) pass(ctx context.Context, t *turn) time.Duration {
	p := l.attempt(ctx, t)
	if ctx.Err() != nil {
		return 0
	}
	t.moved = slices.ContainsFunc(p.Ops, func(o netstate.Op) bool {
		_, device := o.Row.(netstate.Link)
		return device
	})
	p.Repair = t.stood
	if p.OK() {
		t.have = t.have.Settle(t.want.State)
		t.stood, t.retry = true, 0
	} else {
		t.have, t.past = netstate.Actual{}, believed(t.have, t.want.State, p)
		t.retry = min(max(2*t.retry, firstRetry), maxRetry)
	}
	l.Report(p)
	return t.retry
}

// muchFailed is the number of failures beyond which it is not worth the time
// to work out what stands.
const muchFailed = 100

// believed returns what stands after a pass that failed in part; nil if that
// cannot be told.
func believed(have netstate.Actual, want *netstate.State, p Pass) *netstate.State {
	if p.Err != nil || len(p.Failures) > muchFailed {
		return nil
	}
	s := have.Settle(want).State.Clone()
	for _, f := range p.Failures {
		if f.Op.Have != nil {
			s.Put(f.Op.Have)
		} else {
			s.Drop(f.Op.Row)
		}
	}
	return s
}

func (l *Loop) attempt(ctx context.Context, t *turn) Pass {
	start := time.Now()
	if t.have.State == nil {
		have, err := l.Kernel.Observe(ctx, t.want.Scope)
		if err != nil {
			return Pass{Serial: t.want.Serial, Start: start, Took: time.Since(start), Err: err}
		}
		t.have, t.looked = netstate.Observed(have), start
	}
	p := change(ctx, l.Kernel, t.have, t.want.State)
	p.Serial, p.Start, p.Took = t.want.Serial, start, time.Since(start)
	return p
}
