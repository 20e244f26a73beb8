package kerneltest

import (
	"testing"

	"github.com/weft-net/weft/internal/netstate"
)

// intruders are changes that somebody else makes to the state of base.
var intruders = []struct {
	verb netstate.Verb
	row  string
}{
	{netstate.Remove, "route 10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink"},
	{netstate.Remove, "route fd05:0:0:2::/64 via fd05:0:0:2:: dev flannel-v6.1 onlink"},
	{netstate.Replace, "route 10.5.3.0/24 via 10.4.7.99 dev eth0"},
	{netstate.Replace, "route fd05:0:0:3::/64 via fd00:4:7::99 dev eth0"},
	{netstate.Replace, "route 10.5.3.0/24 via 10.4.7.99 dev eth0 proto 4"},
	{netstate.Add, "route 10.5.77.0/24 via 10.4.7.99 dev eth0"},
	{netstate.Add, "route fd05:0:0:77::/64 via fd00:4:7::99 dev eth0 proto 4"},
	{netstate.Remove, "neigh 10.5.2.0 mac 0a:00:00:00:02:01 dev flannel.1"},
	{netstate.Replace, "neigh fd05:0:0:2:: mac 0a:00:00:00:02:99 dev flannel-v6.1"},
	{netstate.Add, "neigh 10.5.77.0 mac 0a:00:00:00:02:99 dev flannel.1"},
	{netstate.Remove, "fdb 0a:00:00:00:02:01 dst 10.4.8.22 dev flannel.1"},
	{netstate.Replace, "fdb 0a:00:00:00:02:02 dst fd00:4:8::99 dev flannel-v6.1"},
	{netstate.Add, "fdb 0a:00:00:00:02:99 dst 10.4.8.99 dev flannel.1"},
	{netstate.Remove, "addr 10.5.1.0/32 dev flannel.1"},
	{netstate.Remove, "addr fd05:0:0:1::/128 dev flannel-v6.1"},
	{netstate.Add, "addr 10.5.99.1/32 dev flannel.1"},
	{netstate.Replace, "link flannel.1 vxlan vni 1 local 10.4.7.21 dev eth0 port 8472 nolearning mtu 1300 mac 0a:00:00:00:00:01 up"},
	{netstate.Replace, "link flannel.1 vxlan vni 1 local 10.4.7.21 dev eth0 port 8472 nolearning mtu 1400 mac 0a:00:00:00:00:01 down"},
	{netstate.Remove, "link flannel-v6.1 vxlan vni 1 local fd00:4:7::21 dev eth0 port 8472 nolearning mtu 1400 mac 0a:00:00:00:00:02 up"},
	{netstate.Remove, "offload flannel.1 tx-checksumming off"},
	{netstate.Add, "offload flannel-v6.1 tx-checksumming off"},
	{netstate.Replace, "sysctl net/ipv4/ip_forward 0"},
	{netstate.Replace, "sysctl net/ipv6/conf/all/forwarding 0"},
	{netstate.Replace, "sysctl net/ipv4/conf/flannel.1/rp_filter 1"},
}

// testEvents has every change by somebody else reported, and mended.
func testEvents(t *testing.T, h Host) {
	want, s := state(t, base), scope(t)
	settle(t, h.Kernel, s, want)
	events := watch(t, h.Kernel)
	for _, i := range intruders {
		t.Run(i.verb.String()+" "+i.row, func(t *testing.T) {
			r := row(t, i.row)
			apply(t, h.Other, netstate.Op{Verb: i.verb, Row: r, Have: want.Find(r)})
			for !want.News(next(t, events)) {
			}
			settle(t, h.Kernel, s, want)
			drain(t, h, events, want)
		})
	}
}

// drain takes events until one that is known to be the last: the echo of a
// change made for that purpose.
func drain(t *testing.T, h Host, events <-chan netstate.Event, want *netstate.State) (seen []netstate.Event) {
	t.Helper()
	mark := row(t, "route 10.5.255.0/24 via 10.4.7.99 dev eth0 proto 4")
	apply(t, h.Other, netstate.Op{Verb: netstate.Add, Row: mark})
	apply(t, h.Other, netstate.Op{Verb: netstate.Remove, Row: mark, Have: mark})
	for {
		e := next(t, events)
		if e.Row == mark && e.Gone {
			return seen
		}
		if e.Row != mark {
			seen = append(seen, e)
		}
	}
}

// testEcho makes every kind of change and hears nothing new.
func testEcho(t *testing.T, h Host) {
	s := scope(t)
	want := state(t, base)
	observe(t, h.Kernel, s)
	events := watch(t, h.Kernel)
	silent := func(want *netstate.State) {
		t.Helper()
		settle(t, h.Kernel, s, want)
		for _, e := range drain(t, h, events, want) {
			if want.News(e) {
				t.Errorf("our own change is news: %+v", e)
			}
		}
	}
	silent(want)
	for _, i := range intruders {
		r := row(t, i.row)
		changed := want.Clone()
		changed.Apply(netstate.Op{Verb: i.verb, Row: r})
		if weMake(i.verb, r) {
			silent(changed)
		}
		silent(want)
	}
}

// weMake reports whether the change is one that weft makes without having to
// look again.
func weMake(verb netstate.Verb, r netstate.Row) bool {
	switch r := r.(type) {
	case netstate.Route:
		return !r.Foreign()
	case netstate.Addr:
		return verb != netstate.Remove // Linux drops the neighbours with a device's last IPv4 address
	case netstate.Link:
		return r.Up && verb != netstate.Remove
	}
	return true
}
