package kernel

import (
	"context"
	"sync"
	"time"
)

// aside runs tasks that may take long, one at a time, in a goroutine of its
// own. A caller that has waited long enough goes on without the answer, and
// others do not wait at all until that task has ended.
type aside struct {
	patience time.Duration // how long a caller waits
	busy     error         // what a caller gets that did not wait for its answer

	ctx    context.Context // of tasks
	cancel context.CancelFunc
	group  sync.WaitGroup
	slot   chan struct{} // full while a task runs

	mu    sync.Mutex
	stuck bool // the caller of the task that runs has given up
}

func newAside(patience time.Duration, busy error) *aside {
	ctx, cancel := context.WithCancel(context.Background())
	return &aside{patience: patience, busy: busy, ctx: ctx, cancel: cancel, slot: make(chan struct{}, 1)}
}

// close ends the task that runs and waits for it.
func (a *aside) close() {
	a.cancel()
	a.group.Wait()
}

// run runs task and waits for its end. Unless it returns nil the task did not
// run, or runs still: what it writes must not be looked at. late is called at the end of
// a task that nobody waits for any more.
func (a *aside) run(ctx context.Context, task func(context.Context), late func()) error {
	timer := time.NewTimer(a.patience)
	defer timer.Stop()
	if err := a.acquire(ctx, timer.C); err != nil {
		return err
	}
	done := make(chan struct{})
	a.group.Go(func() {
		defer func() { <-a.slot }()
		task(a.ctx)
		if a.finish(done) {
			late()
		}
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return a.leave(done, ctx.Err())
	case <-timer.C:
		return a.leave(done, a.busy)
	}
}

// acquire waits for the task before to end.
func (a *aside) acquire(ctx context.Context, timeout <-chan time.Time) error {
	if a.givenUp() {
		return a.busy
	}
	select {
	case a.slot <- struct{}{}:
		return nil
	default:
	}
	select {
	case a.slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout:
		return a.busy
	}
}

// finish closes done and reports whether nobody waits for that.
func (a *aside) finish(done chan struct{}) (late bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(done)
	late, a.stuck = a.stuck, false
	return late
}

// leave gives up waiting because of err, unless the task has just ended.
func (a *aside) leave(done <-chan struct{}, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-done:
		return nil
	default:
		a.stuck = true
		return err
	}
}

// givenUp reports whether nobody waits for the task that runs any more.
func (a *aside) givenUp() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stuck
}
