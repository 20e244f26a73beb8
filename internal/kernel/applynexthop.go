package kernel

import (
	"errors"
	"syscall"

	"github.com/weft-net/weft/internal/netstate"
)

// putHops finds or makes the nexthop objects that tasks need. It returns the
// tasks whose routes can be put now and those worth another try.
func (a *applier) putHops(ops []netstate.Op, tasks []routeTask, errs []error) (ready, retry []routeTask) {
	failed := a.makeHops(tasks)
	ready = make([]routeTask, 0, len(tasks))
	for _, t := range tasks {
		err := failed[t.hop]
		switch {
		case t.hop == hop{}:
			ready = append(ready, t)
		case err == nil:
			t.id = a.hops.ids[t.hop]
			ready = append(ready, t)
		case errors.Is(err, syscall.ENETDOWN):
			// No nexthop object without a carrier, but a gateway may be given.
			ready = append(ready, t)
		case errors.Is(err, syscall.EINVAL) && !t.again:
			retry = append(retry, t.second())
		default:
			errs[t.op] = refused(ops[t.op], err)
		}
	}
	return ready, retry
}

// makeHops makes those objects that tasks need and that do not exist yet. It
// returns the errors of those that could not be made.
func (a *applier) makeHops(tasks []routeTask) (failed map[hop]error) {
	var missing []hop
	asked := map[hop]bool{{}: true}
	for _, t := range tasks {
		if _, exists := a.hops.ids[t.hop]; !exists && !asked[t.hop] {
			asked[t.hop] = true
			missing = append(missing, t.hop)
		}
	}
	fail := func(h hop, err error) {
		if failed == nil {
			failed = map[hop]error{}
		}
		failed[h] = err
	}
	for len(missing) > 0 {
		missing = a.tryHops(missing, fail)
	}
	return failed
}

// tryHops makes objects under the next ids that seem to be unused, and returns
// those whose ids somebody else has.
func (a *applier) tryHops(hops []hop, fail func(hop, error)) (again []hop) {
	a.batch.Reset()
	ids := make([]uint32, 0, len(hops)) // the object of each message
	for _, h := range hops {
		id, err := a.hops.unused(h.tag)
		if err != nil {
			fail(h, err)
			continue
		}
		encodeNexthop(&a.batch, id, h)
		a.hops.put(id, h)
		ids = append(ids, id)
	}
	for _, f := range a.conn.Exec(&a.batch) {
		id := ids[f.Message]
		h := a.hops.objects[id].hop
		if errors.Is(f.Err, syscall.EEXIST) {
			a.hops.lose(id)
			again = append(again, h)
			continue
		}
		a.hops.drop(id)
		fail(h, f.Err)
	}
	return again
}
