// Package memkernel is an in-memory twin of the kernel for tests: a world of
// rows that several handles observe, change and watch, with faults on demand.
// It imitates what planning and reconciling can notice of Linux and nothing
// else: packets do not flow through it.
package memkernel

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/weft-net/weft/internal/netstate"
)

// World is the network of one imagined host. Its methods may be called from
// any goroutine.
type World struct {
	mu       sync.Mutex
	devices  []string // interfaces that are there beside the rows
	rows     netstate.State
	faults   map[string]error // by the row's text
	fault    error            // of every change
	watchers map[*watcher]bool
	handles  uint32
	applied  []netstate.Op
}

// New returns a world with a loopback, with devices that are nobody's rows
// (uplinks), and with forwarding turned off.
func New(devices ...string) *World {
	w := &World{devices: devices, faults: map[string]error{}, watchers: map[*watcher]bool{}}
	w.rows.Put(netstate.Link{Name: "lo", Kind: "device", MTU: 65536, Up: true})
	w.rows.Put(netstate.Sysctl{Name: "net/ipv6/conf/all/forwarding", Value: "0"})
	w.rows.Put(netstate.Sysctl{Name: "net/ipv4/ip_forward", Value: "0"})
	return w
}

// Open returns a handle that acts as a process of its own.
func (w *World) Open() *Kernel {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handles++
	return &Kernel{world: w, pid: w.handles}
}

// OpenAs returns a handle of the process pid.
func (w *World) OpenAs(pid uint32) *Kernel { return &Kernel{world: w, pid: pid} }

// Fail makes every attempt to add, change or remove exactly row fail with err,
// until err is nil.
func (w *World) Fail(row netstate.Row, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[row.String()] = err
}

// FailAll makes every change fail with err, until err is nil.
func (w *World) FailAll(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = err
}

// State returns a copy of all rows, whoever owns them.
func (w *World) State() *netstate.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rows.Clone()
}

// Applied returns the ops that succeeded so far, in order.
func (w *World) Applied() []netstate.Op {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.applied)
}

// Emit sends an event to every watcher, as the kernel would: Event{} stands
// for lost reports.
func (w *World) Emit(e netstate.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.emit(e)
}

func (w *World) emit(e netstate.Event) {
	for watcher := range w.watchers {
		watcher.put(e)
	}
}

// change carries out op for the process pid.
func (w *World) change(op netstate.Op, pid uint32) error {
	if w.fault != nil {
		return w.fault
	}
	if err := w.faults[op.Row.String()]; err != nil {
		return err
	}
	if o, ok := op.Row.(netstate.Offload); ok {
		if l, found := w.rows.Links.Find(netstate.Link{Name: o.Dev}); found && l.Foreign() {
			return foreignDevice(l)
		}
	}
	switch op.Verb {
	case netstate.Remove:
		return w.remove(op, pid)
	case netstate.Rename:
		return w.rename(op, pid)
	}
	if err := w.check(op.Row); err != nil {
		return err
	}
	if want, ok := op.Row.(netstate.Sysctl); ok {
		if have, ok := w.rows.Sysctls.Find(want); ok && want.Allows(have.Value) {
			return nil
		}
		want.Unless = ""
		op.Row = want
	}
	if w.rows.Find(op.Row) == op.Row {
		return nil
	}
	w.rows.Put(op.Row)
	w.applied = append(w.applied, op)
	w.emit(netstate.Event{Row: op.Row, PID: pid})
	if l, ok := op.Row.(netstate.Link); ok && !l.Up {
		w.flush(l.Name)
	}
	return nil
}

// remove takes away what stands where op's row stood, if that is of the same
// make.
func (w *World) remove(op netstate.Op, pid uint32) error {
	have := w.rows.Find(op.Row)
	switch r := have.(type) {
	case nil, netstate.Sysctl:
		return nil
	case netstate.Link:
		if r.Foreign() {
			return foreignDevice(r)
		}
	case netstate.Route:
		if r.Proto != op.Row.(netstate.Route).Proto {
			return nil
		}
	}
	w.rows.Drop(have)
	w.applied = append(w.applied, op)
	w.emit(netstate.Event{Row: have, Gone: true, PID: pid})
	if _, ok := have.(netstate.Link); ok {
		w.emit(netstate.Event{}) // more went with it
	}
	return nil
}

// rename gives a device another name.
func (w *World) rename(op netstate.Op, pid uint32) error {
	have := op.Have.(netstate.Link)
	if err := w.needs(have.Name); err != nil {
		return err
	}
	if err := w.needs(op.Row.(netstate.Link).Name); err == nil {
		return fmt.Errorf("there is a device %s: %w", op.Row.(netstate.Link).Name, syscall.EEXIST)
	}
	w.rows.Apply(op)
	w.applied = append(w.applied, op)
	w.emit(netstate.Event{Row: op.Row, PID: pid})
	return nil
}

func foreignDevice(l netstate.Link) error {
	return fmt.Errorf("a device of kind %q has the name %s: %w", l.Kind, l.Name, syscall.EEXIST)
}

// flush drops the routes of a device that went down, without a word.
func (w *World) flush(dev string) {
	for r := range w.rows.Routes.All() {
		if r.Dev == dev {
			w.rows.Drop(r)
		}
	}
}

// check refuses what Linux would refuse.
func (w *World) check(row netstate.Row) error {
	switch r := row.(type) {
	case netstate.Sysctl:
		if w.rows.Find(r) == nil && !strings.Contains(r.Name, "/conf/") {
			return fmt.Errorf("there is no parameter %s: %w", r.Name, syscall.ENOENT)
		}
	case netstate.Link:
		return w.checkLink(r)
	case netstate.Offload:
		return w.needs(r.Dev)
	case netstate.Addr:
		return w.needs(r.Dev)
	case netstate.Neigh:
		return w.needs(r.Dev)
	case netstate.FDB:
		return w.needs(r.Dev)
	case netstate.Peer:
		return w.needs(r.Dev)
	case netstate.Allowed:
		if !w.rows.Peers.Has(netstate.Peer{Dev: r.Dev, Key: r.Key}) {
			return fmt.Errorf("device %s has no peer %s: %w", r.Dev, r.Key, syscall.ENOENT)
		}
		return w.needs(r.Dev)
	case netstate.Route:
		if r.Reject != "" {
			return nil
		}
		if have, ok := w.rows.Routes.Find(r); ok && have.Proto == protoKernel && !r.Foreign() {
			return fmt.Errorf("%s is a network of this host, connected to interface %s", r.Dst, have.Dev)
		}
		return w.needs(r.Dev)
	}
	return nil
}

func (w *World) checkLink(l netstate.Link) error {
	for other := range w.rows.Links.All() {
		if other.Name == l.Name && other.Foreign() != l.Foreign() {
			return foreignDevice(other)
		}
		same := other.Kind == l.Kind && other.VNI == l.VNI && other.Port == l.Port && other.Local.Is6() == l.Local.Is6()
		if other.Name != l.Name && !l.Foreign() && !other.Foreign() && same {
			return fmt.Errorf("device %s has VNI %d on UDP port %d already: %w", other.Name, l.VNI, l.Port, syscall.EEXIST)
		}
	}
	if l.Dev == "" {
		return nil
	}
	return w.needs(l.Dev)
}

// needs reports an error if there is no device called name.
func (w *World) needs(name string) error {
	if _, ok := w.rows.Links.Find(netstate.Link{Name: name}); ok || slices.Contains(w.devices, name) {
		return nil
	}
	return fmt.Errorf("there is no device %s: %w", name, syscall.ENODEV)
}
