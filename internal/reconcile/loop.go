package reconcile

import (
	"context"
	"log/slog"
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
	full   tokens // looks at everything that news still gets
	stood  bool   // the desired state has been in place
	moved  bool   // the last pass changed a device, so the kernel speaks of what went with it
	limit  limiter
	other  netstate.Event // a program's doing that named no object, since the last look
	retry  retries
}

// fullLooks is the pace of the looks at everything that news asks for.
var fullLooks = pace{burst: 8, interval: time.Second}

func (l *Loop) reconcile(ctx context.Context, wants <-chan Want, box *inbox) error {
	resync := time.NewTicker(l.Resync)
	defer resync.Stop()
	again := newAlarm()
	p := progress{full: fullLooks.full(time.Now()), retry: newRetries()}
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
			if wait := p.beforeLook(time.Now()); wait > 0 {
				again.within(wait)
				continue
			}
		case <-resync.C:
			p.doubt = netstate.AllKinds
			p.limit.forget(time.Now())
			l.Facts() // of what the kernel tells no change: most of its parameters
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

// beforeLook returns the delay until the kernel may be looked at for the news
// that came.
func (p *progress) beforeLook(now time.Time) time.Duration {
	wait := minLook - now.Sub(p.looked)
	if p.doubt == netstate.AllKinds {
		wait = max(wait, fullLooks.wait(&p.full, now))
	}
	return wait
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
