package kernel

import (
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// Attributes of RTM_NEWNETCONF, of linux/netconf.h: the only parameters that
// the kernel reports changes of.
const (
	netconfIndex      = 1 // NETCONFA_IFINDEX
	netconfForwarding = 2 // NETCONFA_FORWARDING
	netconfAll        = -1
)

// netconfEvent reports a change of forwarding.
func (w *watcher) netconfEvent(v *view, m rtnl.Message) (netstate.Event, bool) {
	head, attrs, ok := m.Header(1)
	if !ok {
		return netstate.Event{}, false
	}
	var index, forwarding int32
	reported := false
	for a := range attrs.All() {
		switch a.Type {
		case netconfIndex:
			index = int32(a.Uint32())
		case netconfForwarding:
			forwarding, reported = int32(a.Uint32()), true
		}
	}
	name := w.forwardingName(head[0], index)
	row := netstate.Sysctl{Name: name, Value: strconv.Itoa(int(forwarding))}
	return netstate.Event{Row: row}, reported && slices.Contains(v.scope.Sysctls, name)
}

// forwardingName is the parameter for forwarding on a device, or on all.
func (w *watcher) forwardingName(family uint8, index int32) string {
	proto, dev := "ipv6", "all"
	if family == unix.AF_INET {
		proto = "ipv4"
	}
	switch {
	case index == netconfAll && family == unix.AF_INET:
		return "net/ipv4/ip_forward"
	case index != netconfAll:
		dev = w.mirror.name(index)
	}
	return "net/" + proto + "/conf/" + dev + "/forwarding"
}
