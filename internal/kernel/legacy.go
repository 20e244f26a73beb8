package kernel

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel/xtables"
	"github.com/weft-net/weft/internal/logonce"
	"github.com/weft-net/weft/internal/netstate"
)

// programPatience is how long a call waits for the iptables-legacy program. It
// takes some milliseconds, unless another program holds the lock of the tables.
const programPatience = 2 * time.Second

var errProgramBusy = errors.New("iptables-legacy has not ended yet: does another program hold the lock of its tables (/run/xtables.lock)?")

// legacy reaches the tables that only the iptables-legacy program can edit.
// While the program hangs, what it told last is taken for true.
type legacy struct {
	log     *slog.Logger
	tools   *xtables.Tools
	aside   *aside
	changed chan struct{} // full when an answer came late and is another than the last

	mu       sync.Mutex
	fault    logonce.Fault
	scope    netstate.Scope  // that found belongs to
	found    *netstate.State // what Observe told last; nil: nothing yet
	barriers []host.Barrier  // what Barriers told last
	read     bool            // it did so
}

func newLegacy(log *slog.Logger, tools *xtables.Tools) *legacy {
	return &legacy{
		log: log, tools: tools, aside: newAside(programPatience, errProgramBusy), changed: make(chan struct{}, 1),
	}
}

func (l *legacy) close() { l.aside.close() }

// ring tells Watch that a late answer is news.
func (l *legacy) ring() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// watch reports answers that came late.
func (l *legacy) watch(ctx context.Context, fn func(netstate.Event)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.changed:
			fn(netstate.Event{Facts: true})
		}
	}
}

// ask has the program answer a question, which keeps the answer. If it does not
// do so in time, what was told last holds; an answer that comes late is
// reported if it is news.
func (l *legacy) ask(ctx context.Context, question func(context.Context) (news bool, err error)) {
	var err error
	var news bool
	fault := l.aside.run(ctx,
		func(ctx context.Context) { news, err = question(ctx) },
		func() {
			if news {
				l.ring()
			}
		})
	if fault == nil {
		fault = err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault.Report(l.log, slog.LevelWarn, fault, "iptables-legacy tables are in use, but cannot be read", "iptables-legacy tables can be read again")
}

// observe returns our rules in these tables, and what flanneld left there.
func (l *legacy) observe(ctx context.Context, scope netstate.Scope) netstate.FirewallBuilder {
	l.ask(ctx, func(ctx context.Context) (news bool, err error) {
		var b netstate.Builder
		if b.Firewall, err = l.tools.Observe(ctx, scope); err != nil {
			return false, err
		}
		found, err := b.State()
		return err == nil && l.keep(scope, found), err
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.found == nil || !l.scope.Equal(scope) {
		return netstate.FirewallBuilder{}
	}
	return l.found.Builder().Firewall
}

// keep remembers what was found and reports whether it is news.
func (l *legacy) keep(scope netstate.Scope, found *netstate.State) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	news := l.found == nil || !l.scope.Equal(scope) || l.found.String() != found.String()
	l.scope, l.found = scope, found
	return news
}

// readBarriers returns the chains of these tables that can stop packets.
// Where nothing is known of a chain, it counts as one.
func (l *legacy) readBarriers(ctx context.Context) []host.Barrier {
	l.ask(ctx, func(ctx context.Context) (news bool, err error) {
		found, err := l.tools.Barriers(ctx)
		return err == nil && l.keepBarriers(found), err
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.read {
		return l.tools.Unread()
	}
	return l.barriers
}

func (l *legacy) keepBarriers(found []host.Barrier) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	news := !l.read || !reflect.DeepEqual(l.barriers, found)
	l.barriers, l.read = found, true
	return news
}

// apply carries out ops on objects that isLegacy is true of.
func (l *legacy) apply(ctx context.Context, ops []netstate.Op) []error {
	errs := make([]error, len(ops))
	changed := false
	busy := l.aside.run(ctx, func(ctx context.Context) {
		for i, op := range ops {
			if l.aside.givenUp() {
				return // the next attempt goes by what stands then
			}
			if errs[i] = l.tools.Apply(ctx, op); errs[i] == nil {
				l.applied(op)
				changed = true
			}
		}
	}, func() {
		if changed {
			l.ring()
		}
	})
	if busy == nil {
		return errs
	}
	errs = make([]error, len(ops)) // the task may still write into the other
	for i := range errs {
		errs[i] = busy
	}
	return errs
}

func (l *legacy) applied(op netstate.Op) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.found == nil:
	case op.Verb == netstate.Remove:
		l.found.Drop(op.Row)
	default:
		l.found.Put(op.Row)
	}
}

// isLegacy reports whether only the iptables-legacy program can write r.
func isLegacy(r netstate.Row) bool {
	switch r := r.(type) {
	case netstate.HookRule:
		return r.Via == netstate.ViaLegacy
	case netstate.Leftover:
		return r.Via == netstate.ViaLegacy
	}
	return false
}
