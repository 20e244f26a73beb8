package kernel

import (
	"errors"
	"syscall"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// routeTask is an op on a route on its way into the kernel.
type routeTask struct {
	op    int // number of the op
	dev   int32
	hop   hop
	id    uint32 // of the nexthop object, 0: none
	again bool   // this is the second attempt
}

// routes carries out ops on routes: first the nexthop objects they need, then
// the routes. EINVAL is worth a second attempt: maybe somebody removed the
// object in the meantime, or the gateway needs a helper route.
func (a *applier) routes(ops []netstate.Op, errs []error) {
	tasks := make([]routeTask, 0, len(ops))
	for i, op := range ops {
		t, err := a.routeTask(op)
		if errs[i] = refused(op, err); err == nil {
			t.op = i
			tasks = append(tasks, t)
		}
	}
	retry := a.putRoutes(ops, tasks, errs)
	if len(retry) == 0 {
		return
	}
	helpers := a.putHelperRoutes(ops, retry)
	a.putRoutes(ops, retry, errs)
	a.removeHelperRoutes(helpers)
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
	tag, ok := a.hops.tagFor(r.Dst)
	if ok && !r.Foreign() && r.Via.IsValid() && t.dev != 0 {
		t.hop = hop{tag: tag, via: r.Via, dev: t.dev, onlink: r.OnLink}
	}
	return t, nil
}

// putRoutes carries out tasks and returns those that are worth another try.
func (a *applier) putRoutes(ops []netstate.Op, tasks []routeTask, errs []error) (retry []routeTask) {
	ready, retry := a.putHops(ops, tasks, errs)
	a.batch.Reset()
	for _, t := range ready {
		r := ops[t.op].Row.(netstate.Route)
		if ops[t.op].Verb == netstate.Remove {
			encodeNoRoute(&a.batch, r.Dst, protocolOf(r), r.Metric)
		} else {
			encodeRoute(&a.batch, codec.Replace, r, t.dev, t.id)
		}
	}
	faults := a.conn.Exec(&a.batch)
	for i, t := range ready {
		var err error
		if len(faults) > 0 && faults[0].Message == i {
			err, faults = faults[0].Err, faults[1:]
		}
		op := ops[t.op]
		if errors.Is(err, syscall.EINVAL) && !t.again {
			a.hops.doubt(t.id)
			retry = append(retry, t.second())
			continue
		}
		if err = a.settle(op, err); err == nil {
			a.hops.lead(op.Row.(netstate.Route).Dst, t.id)
		}
		errs[t.op] = err
	}
	return retry
}

// second is the task's second attempt.
func (t routeTask) second() routeTask {
	t.id, t.again = 0, true
	return t
}

// settle judges the kernel's answer. EEXIST means that our route stands
// already, behind a foreign one to the same destination; so does ours stand
// after a success, if the other has a better metric.
func (a *applier) settle(op netstate.Op, err error) error {
	have, ok := op.Have.(netstate.Route)
	exists := errors.Is(err, syscall.EEXIST)
	if err != nil && !exists {
		return refused(op, err)
	}
	ahead := ok && op.Verb == netstate.Replace && have.Metric != 0
	if !ahead && !(exists && ok && have.Foreign()) {
		return nil
	}
	var b rtnl.Batch
	encodeNoRoute(&b, have.Dst, protocolOf(have), have.Metric)
	if err := a.one(&b); err != nil && !isGone(err) {
		return refused(op, err)
	}
	return nil
}
