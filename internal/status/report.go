package status

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/reconcile"
)

// Reporter logs what passes of the reconcile loop did and what others did to
// the kernel. It is for one goroutine.
type Reporter struct {
	Log *slog.Logger

	drift   map[netstate.Row]drifted // what others did to objects, by identity, since the last pass
	faults  map[string]bool          // of the last pass
	changed int                      // objects, by passes that are not logged yet
	passes  int
	failed  int
	logged  time.Time // when changes were logged last
}

// attrBy is the attribute with the process that did what a record speaks of.
const attrBy = "by"

// quiet is the least between two lines about changes of the plan. Where leases
// come and go all the time, a line for each would cost more than the change.
const quiet = time.Second

// drifted is what another program did to an object.
type drifted struct {
	netstate.Event
	by    string // the process, "" if that cannot be told
	order int    // among those since the last pass
}

// Pass logs a pass. It returns what others had done to objects that the pass
// restored, and the delay until Flush is to be called, 0 for none.
func (r *Reporter) Pass(p reconcile.Pass) (restored []netstate.Event, wait time.Duration) {
	r.complain(p)
	restored, rest := r.restored(p)
	n := len(rest)
	switch {
	case n == 0:
		return restored, 0
	case p.Repair:
		r.Log.Info("repaired", andMore(n-1, event.Attr, string(event.Repaired), "object", rest[0].Row.String())...)
		return restored, 0
	}
	r.changed, r.failed, r.passes = r.changed+n, r.failed+len(p.Failures), r.passes+1
	if since := time.Since(r.logged); since < quiet {
		return restored, quiet - since
	}
	r.Flush(p.Rows)
	return restored, 0
}

// restored logs which objects the pass restored that others had changed: the
// first one of which the process is known, and how many more there are. It returns these changes, and the
// other ops. A change for which nothing had to be done was none to tell of: weft
// made it itself, the kernel undid it, or it is a foreign route that stays.
func (r *Reporter) restored(p reconcile.Pass) (done []netstate.Event, rest []netstate.Op) {
	if len(r.drift) == 0 {
		return nil, p.Ops
	}
	var known []drifted
	for _, o := range p.Ops {
		d, ok := r.drift[netstate.Identity(o.Row)]
		if !ok {
			rest = append(rest, o)
			continue
		}
		if d.Gone { // of which the kernel tells less than there was
			d.Row = o.Row
		}
		known = append(known, d)
	}
	if p.Err == nil {
		r.drift = nil
	}
	if len(known) == 0 {
		return nil, rest
	}
	slices.SortFunc(known, func(a, b drifted) int { return a.order - b.order })
	for i, d := range known {
		if i == 0 || d.order != known[i-1].order { // two ops may be about one object
			done = append(done, d.Event)
		}
	}
	first := known[max(0, slices.IndexFunc(known, func(d drifted) bool { return d.by != "" }))]
	what := "changed"
	if first.Gone {
		what = "removed"
	}
	attrs := andMore(len(done)-1, event.Attr, string(event.Drift), "object", first.Row.String())
	if first.by != "" {
		attrs = append(attrs, attrBy, first.by)
	}
	r.Log.Warn("external change: object "+what+"; restored it", attrs...)
	if p.Repair { // what fell with these objects, such as all that stood on a device
		rest = nil
	}
	return done, rest
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
	r.Log.Info("applied the plan to the kernel", append(attrs, event.Attr, string(event.Applied))...)
	r.changed, r.failed, r.passes, r.logged = 0, 0, 0, time.Now()
}

// Drift takes note of what others did to objects of ours, for the next pass to
// tell. Who it was is found out now: most programs end soon.
func (r *Reporter) Drift(events []netstate.Event) {
	if r.drift == nil {
		r.drift = make(map[netstate.Row]drifted, len(events))
	}
	for _, e := range events {
		id := netstate.Identity(e.Row)
		d, again := r.drift[id]
		if !again {
			d.order = len(r.drift)
		}
		d.Event = e
		if by := culprit(e); by != "" {
			d.by = by
		}
		r.drift[id] = d
	}
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
			r.Log.Log(context.Background(), level, what, event.Attr, string(event.Kernel), "error", problem)
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
		r.Log.Info("the kernel is in the desired state again", event.Attr, string(event.Kernel))
	}
	if len(now) == 0 {
		now = nil // passes without a fault are the rule
	}
	r.faults = now
}
