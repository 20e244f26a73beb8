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
	unsent  bool      // another took its place before packets left by it
	idle    time.Time // since when no lease announces this backend, or another port took its VNI; zero: some does
}

// ways are the present way, first, and the former ones that peers may still
// go by. A former way is given up only when every lease has announced
// something else for the time of linger: a peer learns of the last change a
// little later than the store.
type ways []way

// notice is within what time running agents take up a new config. A lease
// tells the VNI on which its host is reached, but not the port (flannel's
// format has none); so after a change of the port alone every host receives on
// both, and for this long goes on sending to the former one.
const notice = 10 * time.Second

// linger covers the time from a lease's change in the store to the last
// peer's routes, with a wide margin: what stands meanwhile is one device.
const linger = time.Minute

// present is the way that is announced; the zero way if there is none.
func (ws ways) present() way {
	if len(ws) == 0 {
		return way{}
	}
	return ws[0]
}

// take makes w the present way if it is not.
func (ws ways) take(w way, now time.Time) ways {
	if len(ws) > 0 && ws[0].is(w) {
		return ws
	}
	out := append(ways{w}, ws...)
	for i := range ws {
		if i > 0 && ws.sends(i, now) {
			// Nobody was sent to by the way that was present meanwhile.
			out[i+1].idle, out[1].unsent = time.Time{}, out[1].unsent || ws[i].sameVNI(ws[0])
		}
	}
	return out
}

// prune gives up former ways that nobody can use any more, and returns how
// long to wait before there is something to do about another; 0 if there is none.
func (ws ways) prune(leases []lease.Lease, now time.Time) (ways, time.Duration) {
	kept := ws[:min(1, len(ws)):min(1, len(ws))]
	wait := time.Duration(0)
	for _, w := range ws[len(kept):] {
		if !w.needsDevice() || slices.ContainsFunc(kept, w.sameDevice) {
			continue
		}
		displaced, stays := slices.ContainsFunc(kept, w.sameVNI), linger
		if displaced {
			stays += notice
			wait = sooner(wait, w.sendsFor(now))
		}
		switch {
		case !displaced && inUse(leases, w.backend.VXLAN.VNI):
			w.idle = time.Time{}
			kept = append(kept, w)
			continue
		case w.idle.IsZero():
			w.idle = now
		}
		left := stays - now.Sub(w.idle)
		if left <= 0 {
			continue
		}
		wait = sooner(wait, left)
		kept = append(kept, w)
	}
	return kept, wait
}

// former returns the ways but the present one, as the plan takes them.
func (ws ways) former(now time.Time) []plan.Former {
	var out []plan.Former
	for i, w := range ws {
		if i > 0 {
			out = append(out, plan.Former{Backend: w.backend, Attrs: w.attrs, Sends: ws.sends(i, now)})
		}
	}
	return out
}

// sends reports whether packets to peers with the VNI of way i leave by it,
// although another has taken its VNI.
func (ws ways) sends(i int, now time.Time) bool {
	return slices.ContainsFunc(ws[:i], ws[i].sameVNI) && ws[i].sendsFor(now) > 0
}

// sendsFor is for how long packets still leave by a way that another port has
// taken the VNI of.
func (w way) sendsFor(now time.Time) time.Duration {
	if w.unsent {
		return 0
	}
	if w.idle.IsZero() {
		return notice
	}
	return max(0, notice-now.Sub(w.idle))
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

func (w way) is(o way) bool { return w.backend == o.backend && reflect.DeepEqual(w.attrs, o.attrs) }

func (w way) needsDevice() bool { return w.backend.Type == plan.VXLAN }

func (w way) sameVNI(o way) bool {
	return w.needsDevice() && o.needsDevice() && w.backend.VXLAN.VNI == o.backend.VXLAN.VNI
}

func (w way) sameDevice(o way) bool {
	return w.sameVNI(o) && w.backend.VXLAN.Port == o.backend.VXLAN.Port
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
