package kernel

import (
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

// Attributes of RTM_NEWNETCONF, of linux/netconf.h: the only parameters that
// the kernel reports changes of.
const (
	netconfIndex      = 1 // NETCONFA_IFINDEX
	netconfForwarding = 2 // NETCONFA_FORWARDING
	netconfRPFilter   = 3 // NETCONFA_RP_FILTER
	netconfAll        = -1
	netconfDefault    = -2
)

// netconfEvent reports a change of forwarding or of rp_filter. That of all devices
// is a fact of the host: what is wanted of a device's own depends on it.
func (w *watcher) netconfEvent(v *view, m rtnl.Message) (netstate.Event, bool) {
	head, attrs, ok := m.Header(1)
	if !ok {
		return netstate.Event{}, false
	}
	index, key, value := int32(0), "", int32(0)
	for a := range attrs.All() {
		switch a.Type {
		case netconfIndex:
			index = int32(a.Uint32())
		case netconfForwarding: // of a new device, comes with all others
			key, value = "forwarding", int32(a.Uint32())
		case netconfRPFilter:
			if key == "" {
				key, value = "rp_filter", int32(a.Uint32())
			}
		}
	}
	if key == "" || index == netconfDefault {
		return netstate.Event{}, false
	}
	e := netstate.Event{Facts: index == netconfAll && key == "rp_filter"}
	name := w.parameter(head[0], index, key)
	if slices.Contains(v.scope.Sysctls, name) {
		e.Row = netstate.Sysctl{Name: name, Value: strconv.Itoa(int(value))}
	}
	return e, e.Row != nil || e.Facts
}

// parameter names a parameter of a device, or of all.
func (w *watcher) parameter(family uint8, index int32, key string) string {
	f := netconf.V6
	if family == unix.AF_INET {
		f = netconf.V4
	}
	switch {
	case index != netconfAll:
		return f.Conf(w.mirror.name(index), key)
	case f == netconf.V4 && key == "forwarding":
		return "net/ipv4/ip_forward"
	}
	return f.Conf("all", key)
}
