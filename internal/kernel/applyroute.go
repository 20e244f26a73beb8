package kernel

import (
	"errors"
	"syscall"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// routeTask is an op on a route on its way into the kernel.
type routeTask struct {
	op   int // number of the op
	dev  int32
	hop  hop
	id   uint32 // of the nexthop object, 0: none
	done bool
}

// routes carries out ops on routes: first the nexthop objects they need, then
// the routes. What fails because somebody removed the object in the meantime
// is tried once more.
func (a *applier) routes(ops []netstate.Op, errs []error) {
	tasks := make([]routeTask, 0, len(ops))
	for i, op := range ops {
		t, err := a.routeTask(op)
		if errs[i] = refused(op, err); err == nil {
			t.op = i
			tasks = append(tasks, t)
		}
	}
	stale := a.putRoutes(ops, tasks, errs)
	a.putRoutes(ops, stale, errs)
}

func (a *applier) routeTask(op netstate.Op) (t routeTask, err error) {
	r := op.Row.(netstate.Route)
	if op.Verb == netstate.Remove {
		return t, nil
	}
	if r.Dev != "" {
		if t.dev, err = a.devs.index(r.Dev); err != nil {
			return t, err
		}
	}
	tag, ok := a.hops.tagFor(r.Dst, a.view.scope)
	if ok && !r.Foreign() && r.Via.IsValid() && t.dev != 0 {
		t.hop = hop{tag: tag, via: r.Via, dev: t.dev, onlink: r.OnLink}
	}
	return t, nil
}

// putRoutes carries out tasks and returns those that are worth another try.
func (a *applier) putRoutes(ops []netstate.Op, tasks []routeTask, errs []error) (stale []routeTask) {
	if len(tasks) == 0 {
		return nil
	}
	a.putHops(ops, tasks, errs)
	a.batch.Reset()
	sent := make([]int, 0, len(tasks)) // the task of each message
	for i, t := range tasks {
		if errs[t.op] != nil {
			continue
		}
		r := ops[t.op].Row.(netstate.Route)
		if ops[t.op].Verb == netstate.Remove {
			encodeNoRoute(&a.batch, r.Dst, protocolOf(r))
		} else {
			encodeRoute(&a.batch, r, t.dev, t.id)
		}
		sent = append(sent, i)
	}
	failed := map[int]error{}
	for _, f := range a.conn.Exec(&a.batch) {
		failed[sent[f.Message]] = f.Err
	}
	for _, i := range sent {
		t, op := tasks[i], ops[tasks[i].op]
		err := failed[i]
		if t.id != 0 && errors.Is(err, syscall.EINVAL) && !t.done {
			a.hops.drop(t.id)
			t.id, t.done = 0, true
			stale = append(stale, t)
			continue
		}
		if err = a.settle(op, err); err == nil {
			a.hops.lead(op.Row.(netstate.Route).Dst, t.id)
		}
		errs[t.op] = err
	}
	return stale
}

// settle judges the kernel's answer. EEXIST means that our route stands
// already, behind a foreign one to the same destination.
func (a *applier) settle(op netstate.Op, err error) error {
	have, ok := op.Have.(netstate.Route)
	if !errors.Is(err, syscall.EEXIST) {
		return refused(op, err)
	}
	if !ok || !have.Foreign() {
		return nil
	}
	var b rtnl.Batch
	encodeNoRoute(&b, have.Dst, have.Proto)
	if err := a.one(&b); err != nil && !isGone(err) {
		return refused(op, err)
	}
	return nil
}

// putHops finds or makes the nexthop objects that tasks need.
func (a *applier) putHops(ops []netstate.Op, tasks []routeTask, errs []error) {
	a.batch.Reset()
	var fresh []uint32 // the object of each message
	for i := range tasks {
		t := &tasks[i]
		if t.hop == (hop{}) {
			continue
		}
		id, made, err := a.hopID(t.hop)
		if err != nil {
			errs[t.op] = refused(ops[t.op], err)
			continue
		}
		if t.id = id; made {
			fresh = append(fresh, id)
		}
	}
	failed := map[uint32]error{}
	for _, f := range a.conn.Exec(&a.batch) {
		id := fresh[f.Message]
		failed[id] = f.Err
		a.hops.drop(id)
	}
	for _, t := range tasks {
		if err := failed[t.id]; err != nil {
			errs[t.op] = refused(ops[t.op], err)
		}
	}
}

// hopID returns the id of the object for h. If there is none it puts the
// request to make one.
func (a *applier) hopID(h hop) (id uint32, made bool, err error) {
	if id, ok := a.hops.ids[h]; ok {
		return id, false, nil
	}
	if id, err = a.hops.unused(h.tag); err != nil {
		return 0, false, err
	}
	encodeNexthop(&a.batch, id, h)
	a.hops.put(id, h)
	return id, true, nil
}
