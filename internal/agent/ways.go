package agent

import (
	"reflect"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/plan/vxlan"
)

// way is how this host may be reached: what it announced, and the config
// under which it did.
type way struct {
	doc     []byte // the config document
	backend netconf.Backend
	attrs   lease.Attrs
	idle    time.Time // since when no lease announces this backend; zero: some does
}

// ways are the present way, first, and the former ones that peers may still
// go by. A former way is given up only when every lease has announced
// something else for the time of linger: a peer learns of the last change a
// little later than the store.
type ways []way

// linger covers the time from a lease's change in the store to the last
// peer's routes, with a wide margin: what stands meanwhile is one device.
const linger = time.Minute

// take makes w the present way if it is not.
func (ws ways) take(w way) ways {
	if len(ws) > 0 && ws[0].backend == w.backend && reflect.DeepEqual(ws[0].attrs, w.attrs) {
		return ws
	}
	return append(ways{w}, ws...)
}

// prune gives up former ways that nobody can use any more, and returns how
// long to wait before another may be; 0 if there is none.
func (ws ways) prune(leases []lease.Lease, now time.Time) (ways, time.Duration) {
	kept := ws[:min(1, len(ws)):min(1, len(ws))]
	wait := time.Duration(0)
	for _, w := range ws[len(kept):] {
		if !w.needsDevice() || slices.ContainsFunc(kept, w.sameDevice) {
			continue
		}
		switch {
		case inUse(leases, w.backend.VXLAN.VNI):
			w.idle = time.Time{}
		case w.idle.IsZero():
			w.idle = now
		case now.Sub(w.idle) >= linger:
			continue
		}
		if !w.idle.IsZero() {
			wait = max(wait, linger-now.Sub(w.idle))
		}
		kept = append(kept, w)
	}
	return kept, wait
}

// former returns the ways but the present one, as the plan takes them.
func (ws ways) former() []plan.Former {
	var out []plan.Former
	for _, w := range ws[min(1, len(ws)):] {
		out = append(out, plan.Former{Backend: w.backend, Attrs: w.attrs})
	}
	return out
}

// announced returns what was announced for the device that net's backend
// needs, so that coming back to it finds the same address.
func (ws ways) announced(b netconf.Backend) (lease.Attrs, bool) {
	i := slices.IndexFunc(ws, way{backend: b}.sameDevice)
	if i < 0 {
		return lease.Attrs{}, false
	}
	return ws[i].attrs, true
}

func (w way) needsDevice() bool { return w.backend.Type == plan.VXLAN }

func (w way) sameDevice(o way) bool {
	return w.needsDevice() && o.needsDevice() && w.backend.VXLAN.VNI == o.backend.VXLAN.VNI
}

// inUse reports whether any lease, this host's own in the store among them,
// announces a tunnel with vni.
func inUse(leases []lease.Lease, vni uint32) bool {
	return slices.ContainsFunc(leases, func(l lease.Lease) bool {
		if l.Backend != plan.VXLAN {
			return false
		}
		for _, raw := range l.Data {
			if d, err := vxlan.ParseData(raw); err == nil && d.VNI == vni {
				return true
			}
		}
		return false
	})
}
