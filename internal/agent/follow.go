package agent

import (
	"context"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/mailbox"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/status"
)

// follower takes the reconcile loop's passes to status, the log and the next
// step.
type follower struct {
	board *status.Board
	done  mailbox.Mailbox[intent.PassDone]
	flush mailbox.Mailbox[time.Duration]

	mu       sync.Mutex // passes, drift and the flush come from two goroutines
	reporter status.Reporter
	newest   intent.PassDone
	rows     int

	herald *status.Herald
}

func newFollower(h *status.Herald) *follower {
	return &follower{
		board: h.Board, reporter: status.Reporter{Log: h.Log}, herald: h,
		done: mailbox.New[intent.PassDone](), flush: mailbox.New[time.Duration](),
	}
}

// pass is called by the loop after each pass.
func (f *follower) pass(p reconcile.Pass) {
	f.board.Pass(p)
	f.herald.Tell()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows = p.Rows
	restored, wait := f.reporter.Pass(p)
	f.board.Drift(restored)
	if wait > 0 {
		f.flush.Put(wait)
	}
	received, converged := f.newest.Received, f.newest.Converged
	if p.Receives() {
		f.newest.Received = max(received, p.Generation)
	}
	if p.Converged() {
		f.newest.Converged = max(converged, p.Generation)
	}
	if f.overwrote(p.Ops, p.Repair) || f.newest.Received != received || f.newest.Converged != converged {
		f.done.Put(f.newest)
	}
}

// overwrote notes which parameters ops changed that others had changed, and
// reports whether there are any. What they were before the plan was first applied,
// the host's facts tell. Only which reverse-path filter is wanted follows what others
// set for all devices, and they may set the device's right after it.
func (f *follower) overwrote(ops []netstate.Op, repair bool) (some bool) {
	for _, o := range ops {
		now, ok := o.Row.(netstate.Sysctl)
		was, known := o.Have.(netstate.Sysctl)
		if !ok || !known || was.Unless != "" { // as it was wanted, not as it was
			continue
		}
		if !repair && path.Base(now.Name) != "rp_filter" {
			continue
		}
		p := intent.Parameter{Name: now.Name, Was: was.Value, Now: now.Value}
		others := slices.DeleteFunc(slices.Clone(f.newest.Overwrote), func(o intent.Parameter) bool { return o.Name == p.Name })
		f.newest.Overwrote, some = append(others, p), true
	}
	return some
}

// drift is called by the loop when somebody else seems to have done something
// to objects of ours.
func (f *follower) drift(events []netstate.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reporter.Drift(events)
}

// run logs what passes left for later.
func (f *follower) run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case wait := <-f.flush:
			timer.Reset(wait)
		case <-timer.C:
			f.mu.Lock()
			f.reporter.Flush(f.rows)
			f.mu.Unlock()
		}
	}
}
