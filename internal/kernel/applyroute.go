package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

// routeTask is an op on a route on its way into the kernel.
type routeTask struct {
	op    int // number of the op
	dev   int32
	hop   hop
	id    uint32 // of the nexthop object, 0: none
	again bool   // this is the second attempt
	over  bool   // the route may take the place of another
}

// routes carries out ops on routes: first the nexthop objects they need, then
// the routes. EINVAL is worth a second attempt: maybe somebody removed the
// object in the meantime, or the gateway needs a helper route. So is EEXIST,
// since a foreign route that came since the last look is replaced, unless it is
// a connected one.
func (a *applier) routes(ops []netstate.Op, errs []error) {
	tasks := make([]routeTask, 0, len(ops))
	for i, op := range ops {
		t, err := a.routeTask(op)
		if errs[i] = refused(op, err); err == nil {
			t.op = i
			tasks = append(tasks, t)
		}
	}
	tasks = a.sparing(ops, tasks, errs)
	for retry := a.putRoutes(ops, tasks, errs); len(retry) > 0; {
		helpers := a.putHelperRoutes(ops, retry)
		retry = a.putRoutes(ops, a.sparing(ops, retry, errs), errs)
		a.removeHelperRoutes(helpers)
	}
}

// sparing returns tasks without those that would replace a connected route. The
// planner wants no such route, but what it knows of the host may be old.
func (a *applier) sparing(ops []netstate.Op, tasks []routeTask, errs []error) []routeTask {
	foreign := func(t routeTask) bool {
		have, known := ops[t.op].Have.(netstate.Route)
		return t.over && ops[t.op].Verb != netstate.Remove && (!known || have.Foreign())
	}
	if !slices.ContainsFunc(tasks, foreign) {
		return tasks
	}
	connected, err := a.connectedRoutes()
	return slices.DeleteFunc(tasks, func(t routeTask) bool {
		if !foreign(t) {
			return false
		}
		r := ops[t.op].Row.(netstate.Route)
		if dev, found := connected[r.Dst]; found && err == nil {
			errs[t.op] = fmt.Errorf("%s: %s is a network of this host, connected to interface %s; remove that address, or give the peer another subnet", attempt(ops[t.op]), r.Dst, dev)
		} else if err != nil {
			errs[t.op] = refused(ops[t.op], err)
		}
		return errs[t.op] != nil
	})
}

// connectedRoutes returns the device of each route that stands where weft's
// would and that the kernel made for an address.
func (a *applier) connectedRoutes() (map[netip.Prefix]string, error) {
	out := map[netip.Prefix]string{}
	for _, f := range netconf.Families {
		var found []codec.Route
		only := codec.Routes{Table: unix.RT_TABLE_MAIN, Protocol: unix.RTPROT_KERNEL}
		err := only.Read(a.conn, afOf(f), func(r codec.Route) {
			if r.TOS == 0 && r.Kind == unix.RTN_UNICAST && r.Metric == defaultMetric(r.Dst.Addr()) {
				found = append(found, r)
			}
		})
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			if out[r.Dst], err = a.devs.name(r.Dev); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (a *applier) routeTask(op netstate.Op) (t routeTask, err error) {
	r := op.Row.(netstate.Route)
	if op.Verb == netstate.Remove {
		return t, nil
	}
	t.over = op.Verb == netstate.Replace
	if r.Dev != "" {
		if t.dev, err = a.devs.index(r.Dev); err != nil {
			return t, err
		}
	}
	tag, ok := a.hops.tagFor(r.Dst)
	// Of IPv4 routes through one nexthop object the kernel gives one without
	// metrics those of another (fib_find_info_nh of net/ipv4/fib_semantics.c).
	if ok && !r.Foreign() && r.MTU == 0 && r.Via.IsValid() && t.dev != 0 {
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
			metric := r.Metric
			if r.Reject != "" {
				metric = rejectMetric
			}
			encodeNoRoute(&a.batch, r.Dst, protocolOf(r), metric)
		} else {
			how := uint16(codec.Create)
			if t.over {
				how = codec.Replace
			}
			encodeRoute(&a.batch, how, r, t.dev, t.id)
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
		if errors.Is(err, syscall.EEXIST) && !t.over && op.Verb != netstate.Remove {
			t.over = true
			retry = append(retry, t)
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
