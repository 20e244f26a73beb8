package status

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/reconcile"
)

// Reporter logs what passes of the reconcile loop did and what others did to
// the kernel. It is for one goroutine.
type Reporter struct {
	Log *slog.Logger

	faults  map[string]bool // of the last pass
	changed int             // objects, by passes that are not logged yet
	passes  int
	failed  int
	logged  time.Time // when changes were logged last
}

// quiet is the least between two lines about changes of the plan. Where leases
// come and go all the time, a line for each would cost more than the change.
const quiet = time.Second

// Pass logs a pass. It returns the delay until Flush is to be called, 0 for
// none.
func (r *Reporter) Pass(p reconcile.Pass) time.Duration {
	r.complain(p)
	n := len(p.Ops)
	switch {
	case n == 0:
		return 0
	case p.Repair:
		r.Log.Info("repaired", andMore(n-1, "object", p.Ops[0].Row.String())...)
		return 0
	}
	r.changed, r.failed, r.passes = r.changed+n, r.failed+len(p.Failures), r.passes+1
	if since := time.Since(r.logged); since < quiet {
		return quiet - since
	}
	r.Flush(p.Rows)
	return 0
}

// Flush logs the changes that were not logged yet. inSync is the number of
// objects that the plan has.
func (r *Reporter) Flush(inSync int) {
	if r.passes == 0 {
		return
	}
	attrs := []any{"changes", r.changed, "objects", inSync}
	if r.passes > 1 {
		attrs = append(attrs, "passes", r.passes)
	}
	if r.failed > 0 {
		attrs = append(attrs, "failed", r.failed)
	}
	r.Log.Info("applied the plan to the kernel", attrs...)
	r.changed, r.failed, r.passes, r.logged = 0, 0, 0, time.Now()
}

// Drift logs what others did to objects of ours: the first one, and how many
// more there are.
func (r *Reporter) Drift(events []netstate.Event) {
	first := events[0]
	what := "changed"
	if first.Gone {
		what = "removed"
	}
	attrs := andMore(len(events)-1, "object", first.Row.String())
	if who := culprit(first); who != "" {
		attrs = append(attrs, attrBy, who)
	}
	r.Log.Warn("external change: object "+what+"; restoring it", attrs...)
}

// andMore adds to attrs that n more are not named, if so.
func andMore(n int, attrs ...any) []any {
	if n > 0 {
		attrs = append(attrs, "more", n)
	}
	return attrs
}

func culprit(e netstate.Event) string {
	if e.By != "" {
		return e.By
	}
	return process(e.PID)
}

// process names the process that a netlink port belongs to, if the port is a
// process id as it mostly is; "" if that cannot be told.
func process(pid uint32) string {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if pid == 0 || err != nil {
		return ""
	}
	return fmt.Sprintf("%s[%d]", strings.TrimSpace(string(comm)), pid)
}

// complain logs what keeps the kernel from the desired state, once for as long
// as it is the same.
func (r *Reporter) complain(p reconcile.Pass) {
	now := map[string]bool{}
	complain := func(level slog.Level, what, problem, key string) {
		if !r.faults[key] {
			r.Log.Log(context.Background(), level, what, "problem", problem)
		}
		now[key] = true
	}
	const retrying = "the kernel could not be brought to the desired state; retrying"
	if p.Err != nil {
		complain(slog.LevelError, retrying, "reading the kernel's state: "+p.Err.Error(), p.Err.Error())
	}
	if p.Held != nil {
		complain(slog.LevelError, "the plan is not applied", p.Held.Error(), p.Held.Error())
	}
	for _, f := range p.Failures {
		complain(slog.LevelError, retrying, f.Error(), f.Error())
	}
	for _, route := range p.Overtaken {
		problem := foreignRoute(route)
		complain(slog.LevelWarn, "conflicting route", problem, problem)
	}
	for _, c := range p.Contested { // each time by another process, maybe
		complain(slog.LevelWarn, "contested object", c.Error(), "contested "+c.Row.String())
	}
	if len(now) == 0 && len(r.faults) > 0 {
		r.Log.Info("the kernel is in the desired state again")
	}
	if len(now) == 0 {
		now = nil // passes without a fault are the rule
	}
	r.faults = now
}
