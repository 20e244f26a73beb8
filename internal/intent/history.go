package intent

import (
	"slices"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
)

// announcement is how this host may be reached: what it announced, and the
// config under which it did.
type announcement struct {
	doc     []byte // the config document
	backend netconf.Backend
	attrs   lease.Attrs
	silent  bool      // another superseded it before packets left by it, or long enough after
	spare   bool      // its device has the spare name: another with its VNI had the plain one when it came
	idle    time.Time // since when no lease announces this backend, or another port took its VNI; zero: some does
}

// history is the current announcement, first, and former ones that peers may
// still go by. A former one is given up only when every lease has announced
// something else for the grace period: a peer learns of the last change a
// little later than the store.
type history []announcement

// notice is within what time running agents follow a new config. A lease
// tells the VNI on which its host is reached, but not the port (flannel's
// format has none); so after a change of the port alone every host receives on
// both, and for this long goes on sending to the former one.
const notice = 10 * time.Second

// grace covers the time from a lease's change in the store to the last
// peer's routes, with a wide margin: what stands meanwhile is one device.
const grace = time.Minute

// supersede makes a the current announcement if it is not.
func (h history) supersede(a announcement, now time.Time) history {
	if len(h) > 0 && h[0].is(a) {
		return h
	}
	a.spare = h.takesSpareName(a)
	out := append(history{a}, h...)
	for i := range h {
		if i > 0 && h.sends(i, now) {
			// Nobody was sent to by the one that was current meanwhile.
			out[i+1].idle, out[1].silent = time.Time{}, out[1].silent || h[i].sameVNI(h[0])
		}
	}
	return out
}

// takesSpareName reports whether a's device gets the spare name. A device that
// stands keeps its name: kernels before 6.2 rename none that is up.
func (h history) takesSpareName(a announcement) bool {
	if i := slices.IndexFunc(h, a.sameDevice); i >= 0 {
		return h[i].spare
	}
	return slices.ContainsFunc(h, func(o announcement) bool { return o.sameVNI(a) && !o.spare })
}

// named returns h in which of those with one VNI one has the plain name: the
// first, once that which had it is gone.
func (h history) named() history {
	out := slices.Clone(h)
	for i, a := range out {
		plain := func(o announcement) bool { return o.sameVNI(a) && !o.spare }
		out[i].spare = a.spare && slices.ContainsFunc(out, plain)
	}
	return out
}

// prune gives up former announcements that nobody can use any more, and
// returns the delay until there is something to do about another, 0 for none.
func (h history) prune(used func(plan.Tunnel) bool, now time.Time) (history, time.Duration) {
	kept := h[:min(1, len(h)):min(1, len(h))]
	wait := time.Duration(0)
	for _, a := range h[len(kept):] {
		if !a.needsDevice() || slices.ContainsFunc(kept, a.sameDevice) {
			continue
		}
		displaced, stays := slices.ContainsFunc(kept, a.sameVNI), grace
		if displaced {
			stays += notice
			wait = sooner(wait, a.sendsFor(now))
		}
		switch {
		case !displaced && used(a.tunnel()):
			a.idle = time.Time{}
			kept = append(kept, a)
			continue
		case a.idle.IsZero():
			a.idle = now
		}
		a.silent = a.silent || displaced && a.sendsFor(now) == 0
		left := stays - a.idleFor(now)
		if left <= 0 {
			continue
		}
		wait = sooner(wait, left)
		kept = append(kept, a)
	}
	return kept.named(), wait
}

// former returns all but the current announcement, as the plan takes them.
func (h history) former(now time.Time) []plan.Former {
	var out []plan.Former
	for i, a := range h {
		if i > 0 {
			out = append(out, plan.Former{Backend: a.backend, Attrs: a.attrs, Sends: h.sends(i, now), Spare: a.spare})
		}
	}
	return out
}

// sends reports whether packets to peers with the VNI of announcement i leave
// by its device, although another has taken its VNI.
func (h history) sends(i int, now time.Time) bool {
	return slices.ContainsFunc(h[:i], h[i].sameVNI) && h[i].sendsFor(now) > 0
}

// sendsFor is for how long packets still leave by a device whose VNI another
// port has taken.
func (a announcement) sendsFor(now time.Time) time.Duration {
	if a.silent {
		return 0
	}
	return max(0, notice-a.idleFor(now))
}

// idleFor is for how long a has been idle. A clock that was set back, as after
// a reboot of a host whose clock does not run on, counts as no time.
func (a announcement) idleFor(now time.Time) time.Duration {
	if a.idle.IsZero() {
		return 0
	}
	return max(0, now.Sub(a.idle))
}

// announced returns what was announced for the device that b needs, so that
// coming back to it finds the same address.
func (h history) announced(b netconf.Backend) (lease.Attrs, bool) {
	i := slices.IndexFunc(h, announcement{backend: b}.sameDevice)
	if i < 0 {
		return lease.Attrs{}, false
	}
	return h[i].attrs, true
}

func (a announcement) is(o announcement) bool {
	return a.backend == o.backend && a.attrs.Equal(o.attrs)
}

// tunnel is the one in which packets come, if it needsDevice.
func (a announcement) tunnel() plan.Tunnel {
	t, _ := plan.TunnelOf(a.backend)
	return t
}

func (a announcement) needsDevice() bool {
	_, tunnel := plan.TunnelOf(a.backend)
	return tunnel
}

func (a announcement) sameVNI(o announcement) bool {
	return a.needsDevice() && o.needsDevice() && a.tunnel() == o.tunnel()
}

// sameDevice reports whether a needs the very device that o does. A port of WireGuard is
// changed in place.
func (a announcement) sameDevice(o announcement) bool {
	return a.sameVNI(o) && a.backend.VXLAN.Port == o.backend.VXLAN.Port
}

// supersede makes attrs the current announcement, and gives up former ones
// that nobody uses.
func (t *step) supersede(attrs lease.Attrs) {
	s := t.state
	h := s.history.supersede(announcement{doc: s.config.doc, backend: s.config.net.Backend, attrs: attrs}, t.now)
	h, wait := h.prune(s.store.census.announces, t.now)
	s.history = h
	t.wake(wait)
}
