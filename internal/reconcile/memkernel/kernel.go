package memkernel

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/weft-net/weft/internal/netstate"
)

// protoKernel is RTPROT_KERNEL of linux/rtnetlink.h: routes that come with an
// address and are nobody's rows.
const protoKernel = 2

// Kernel is one process's handle to a World. It implements reconcile.Kernel.
type Kernel struct {
	world *World
	pid   uint32
}

// Observe implements reconcile.Kernel.
func (k *Kernel) Observe(ctx context.Context, scope netstate.Scope, kinds netstate.Kinds) (*netstate.State, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all := k.world.State()
	b := all.Builder()
	b.Sysctls = slices.DeleteFunc(b.Sysctls, func(c netstate.Sysctl) bool { return !slices.Contains(scope.Sysctls, c.Name) })
	b.Routes = slices.DeleteFunc(b.Routes, func(r netstate.Route) bool { return r.Proto == protoKernel || !scope.Holds(r.Dst) })
	b.Links = slices.DeleteFunc(b.Links, func(l netstate.Link) bool { return !inScope(all, l, scope) })
	b.Offloads = slices.DeleteFunc(b.Offloads, func(o netstate.Offload) bool { return !owns(b, o.Dev) })
	b.Addrs = slices.DeleteFunc(b.Addrs, func(a netstate.Addr) bool { return !owns(b, a.Dev) })
	b.Neighs = slices.DeleteFunc(b.Neighs, func(n netstate.Neigh) bool { return !owns(b, n.Dev) })
	b.FDB = slices.DeleteFunc(b.FDB, func(f netstate.FDB) bool { return !owns(b, f.Dev) })
	b.Peers = slices.DeleteFunc(b.Peers, func(p netstate.Peer) bool { return !owns(b, p.Dev) })
	b.Allowed = slices.DeleteFunc(b.Allowed, func(a netstate.Allowed) bool { return !owns(b, a.Dev) })
	ownRules(&b.Firewall, scope)
	ownFast(&b.Fast, scope)
	found, err := b.State()
	if err != nil {
		return nil, err
	}
	return (&netstate.State{}).Replaced(kinds, found), nil
}

// inScope reports whether scope asks for l: by its name, or because it is a
// tunnel of weft's or flannel's into one of the networks.
func inScope(s *netstate.State, l netstate.Link, scope netstate.Scope) bool {
	if l.Foreign() {
		return slices.Contains(scope.Links, l.Name)
	}
	var addrs []netip.Prefix
	for a := range s.Addrs.All() {
		if a.Dev == l.Name {
			addrs = append(addrs, a.Prefix)
		}
	}
	return scope.Device(l.Name, addrs)
}

// owns reports whether b has a tunnel called dev.
func owns(b *netstate.Builder, dev string) bool {
	return slices.ContainsFunc(b.Links, func(l netstate.Link) bool { return l.Name == dev && !l.Foreign() })
}

// Apply implements reconcile.Kernel.
func (k *Kernel) Apply(ctx context.Context, ops []netstate.Op) []error {
	k.world.mu.Lock()
	defer k.world.mu.Unlock()
	errs := make([]error, len(ops))
	for i, op := range ops {
		err := ctx.Err()
		if err == nil {
			err = k.world.change(op, k.pid)
		}
		if err != nil {
			errs[i] = fmt.Errorf("%s: %w", op, err)
		}
	}
	return errs
}

// Watch implements reconcile.Kernel. It also reports what this handle itself
// changed.
func (k *Kernel) Watch(ctx context.Context, fn func(netstate.Event)) error {
	w := &watcher{bell: make(chan struct{}, 1)}
	w.put(netstate.Event{})
	k.world.join(w)
	defer k.world.leave(w)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.bell:
		}
		for _, e := range w.take() {
			fn(e)
		}
	}
}

func (w *World) join(watcher *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watchers[watcher] = true
}

func (w *World) leave(watcher *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watchers, watcher)
}

// watcher holds events until Watch has time for them.
type watcher struct {
	bell chan struct{}

	mu      sync.Mutex
	pending []netstate.Event
}

func (w *watcher) put(e netstate.Event) {
	w.mu.Lock()
	w.pending = append(w.pending, e)
	w.mu.Unlock()
	select {
	case w.bell <- struct{}{}:
	default:
	}
}

func (w *watcher) take() []netstate.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.pending
	w.pending = nil
	return all
}

// ownFast leaves the fast paths that are the agent's.
func ownFast(b *netstate.FastBuilder, scope netstate.Scope) {
	foreign := func(path string) bool { return !scope.Table(path, nil) }
	b.Paths = slices.DeleteFunc(b.Paths, func(p netstate.FastPath) bool { return foreign(p.Name) })
	b.Remotes = slices.DeleteFunc(b.Remotes, func(r netstate.FastRemote) bool { return foreign(r.Path) })
	b.Pods = slices.DeleteFunc(b.Pods, func(p netstate.FastPod) bool { return foreign(p.Path) })
	b.Bridges = slices.DeleteFunc(b.Bridges, func(f netstate.FastBridge) bool { return foreign(f.Path) })
	b.Hooks = slices.DeleteFunc(b.Hooks, func(h netstate.FastHook) bool { return foreign(h.Path) })
}
