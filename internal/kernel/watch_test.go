package kernel_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/internal/netstate"
)

// watch returns the events to come, without the first.
func (a *agent) watch() <-chan netstate.Event {
	a.Helper()
	events := make(chan netstate.Event, 1<<12)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.k.Watch(ctx, func(e netstate.Event) { events <- e }) }()
	a.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			a.Error(err)
		}
	})
	next(a.T, events)
	return events
}

func next(t *testing.T, events <-chan netstate.Event) netstate.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no event came")
		return netstate.Event{}
	}
}

// until runs script and returns all events up to the echo of a route that is
// added after it.
func until(t *testing.T, ns *netns.NS, events <-chan netstate.Event, script string) (seen []netstate.Event) {
	t.Helper()
	shell(t, ns, script+"\nip route add 10.5.255.0/24 dev lo proto 4; ip route del 10.5.255.0/24 dev lo proto 4")
	for {
		e := next(t, events)
		if r, ok := e.Row.(netstate.Route); !ok || r.Dst.String() != "10.5.255.0/24" {
			seen = append(seen, e)
		} else if e.Gone {
			return seen
		}
	}
}

// TestNoiseIsNotReported does what happens on a busy host all day.
func TestNoiseIsNotReported(t *testing.T) {
	ns := newHost(t)
	a := newAgent(t, ns, networks...)
	shell(t, ns, "ip route add default via 10.4.7.1; ip -6 route add default via fd00:4:7::1")
	a.settle(tunnels + "route 10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink")
	if _, err := a.k.Routing(t.Context(), networks); err != nil {
		t.Fatal(err)
	}
	events := a.watch()
	for name, script := range map[string]string{
		"a pod":                 "ip link add pod type veth peer name podp; ip link set pod up; ip link set podp up; ip link del pod",
		"a pod of ours":         "ip link add pod type veth peer name podp; ip link set podp up; ip link set pod up; ip addr add fe80::1/64 dev pod nodad; ip route add 10.5.1.7 dev pod proto 118; ip route add fd05:0:0:1::7 dev pod proto 118; ip route del 10.5.1.7; ip link del pod",
		"a bridge's port":       "ip link add br0 type bridge; ip link add pod type veth peer name podp; ip link set pod master br0; ip link set pod nomaster; ip link del pod; ip link del br0",
		"neighbours elsewhere":  "ip neigh add 10.4.7.50 lladdr 0a:00:00:00:00:50 dev eth0; ip neigh del 10.4.7.50 dev eth0; bridge fdb add 0a:00:00:00:00:50 dev eth0 self; bridge fdb del 0a:00:00:00:00:50 dev eth0 self",
		"another table":         "ip route add 10.5.7.0/24 via 10.4.7.9 table 100; ip route flush table 100",
		"another metric":        "ip route add 10.5.7.0/24 via 10.4.7.9 metric 50; ip route del 10.5.7.0/24 metric 50",
		"another network":       "ip route add 10.77.0.0/24 via 10.4.7.9; ip route del 10.77.0.0/24; ip -6 route add fd77::/64 via fd00:4:7::9; ip -6 route del fd77::/64",
		"a pod's rule":          "ip rule add from 10.99.0.7 lookup 2; ip rule del from 10.99.0.7 lookup 2",
		"somebody's nexthop":    "ip nexthop add id 9 via 10.4.7.9 dev eth0; ip nexthop del id 9",
		"an address renewed":    "ip addr replace 10.4.7.21/24 dev eth0",
		"forwarding on devices": "echo 1 > /proc/sys/net/ipv4/conf/eth0/forwarding",
		"a device's filter":     "echo 1 > /proc/sys/net/ipv4/conf/eth0/rp_filter; echo 1 > /proc/sys/net/ipv4/conf/default/rp_filter",
	} {
		for _, e := range until(t, ns, events, script) {
			t.Errorf("%s: reported %+v", name, e)
		}
	}
}

// TestSilentLossesAreReported takes away what routes stand on: the kernel drops
// IPv4 routes then without saying so.
func TestSilentLossesAreReported(t *testing.T) {
	const want = tunnels + "route 10.5.2.0/24 via 10.4.7.22 dev eth0\nroute fd05:0:0:2::/64 via fd00:4:7::22 dev eth0"
	const home = "ip addr add 10.4.7.21/24 dev eth0; ip addr add fd00:4:7::21/64 dev eth0 nodad; "
	ns := newHost(t)
	a := newAgent(t, ns, networks...)
	for _, tc := range []struct{ name, script, after string }{
		{"device down", "ip link set eth0 down", "ip link set eth0 up; ip addr replace fd00:4:7::21/64 dev eth0 nodad"},
		{"no carrier", "ip link set eth0-peer down", "ip link set eth0-peer up"},
		{"address gone", "ip addr flush dev eth0 scope global", home},
		{"nexthops gone", "ip nexthop flush proto 119", "true"},
		{"device moved away", "ip link set eth0 name eth9 || { ip link set eth0 down; ip link set eth0 name eth9; }", // before 6.2
			"ip link set eth9 down; ip link set eth9 name eth0; ip link set eth0 up; ip addr replace fd00:4:7::21/64 dev eth0 nodad"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a.T = t
			a.settle(want)
			events := a.watch()
			shell(t, ns, tc.script)
			for e := next(t, events); e.Row != nil; e = next(t, events) {
			}
			if tc.name == "no carrier" {
				a.settle(want) // what has no way out now has one again later
			}
			shell(t, ns, tc.after)
			a.settle(want)
		})
	}
}

// TestFactsAreReported changes what the choice of the uplink goes by.
func TestFactsAreReported(t *testing.T) {
	ns := newHost(t)
	a := newAgent(t, ns, networks...)
	a.observe()
	if _, err := a.k.Routing(t.Context(), networks); err != nil { // what is on-link now
		t.Fatal(err)
	}
	a.mustReport(ns, a.watch(), []string{
		"ip route add 10.4.77.0/24 dev eth0", "ip route del 10.4.77.0/24 dev eth0",
		"ip route add 10.4.7.128/25 via 10.4.7.1", "ip route del 10.4.7.128/25 via 10.4.7.1",
		"ip route add unreachable 10.4.7.64/26", "ip route del unreachable 10.4.7.64/26",
		"ip -6 route add fd00:4:7::9 via fd00:4:7::1", "ip -6 route del fd00:4:7::9", "ip -6 route add fd66::/64 dev eth0 proto ra",
		"ip addr add 10.4.9.1/24 dev eth0", "ip addr del 10.4.9.1/24 dev eth0",
		"ip route add default via 10.4.7.1", "ip route del default",
		"ip -6 route add default via fd00:4:7::1", "ip -6 route del default",
		"echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter",
		"ip rule add from 10.4.7.21 lookup main", "ip rule del from 10.4.7.21 lookup main",
		"ip -6 rule add from fd05::7 lookup main", "ip rule add not fwmark 7 lookup main suppress_prefixlength 0",
		"ip route add 10.77.0.0/16 via 10.4.7.9",
		"ip link set eth0 mtu 1400", "ip link add eth1 type veth peer name eth1p; ip addr add 10.8.0.1/24 dev eth1; ip link set eth1 up",
		"ip link add wg0 type bridge; ip link set wg0 addrgenmode none up; ip route add 10.66.0.0/16 dev wg0", "ip route del 10.66.0.0/16 dev wg0",
	})
}

// mustReport runs scripts, each of which must lead to news of the host's facts.
func (a *agent) mustReport(ns *netns.NS, events <-chan netstate.Event, scripts []string) {
	a.Helper()
	for _, script := range scripts {
		facts := false
		for _, e := range until(a.T, ns, events, script) {
			facts = facts || e.Facts
		}
		if !facts {
			a.Errorf("%s: nothing reported", script)
		}
	}
}

// TestFactsOfAnUplinkWithoutAddresses has the host's address on the loopback.
func TestFactsOfAnUplinkWithoutAddresses(t *testing.T) {
	ns := newHost(t)
	shell(t, ns, `
		ip addr flush dev eth0 scope global
		ip addr add 10.9.9.1/32 dev lo
		ip route add 10.4.7.1 dev eth0 scope link
		ip route add default via 10.4.7.1 src 10.9.9.1`)
	a := newAgent(t, ns, networks...)
	a.observe()
	if _, err := a.k.Routing(t.Context(), networks); err != nil {
		t.Fatal(err)
	}
	a.mustReport(ns, a.watch(), []string{
		"ip route add 10.4.77.0/24 dev eth0", "ip route del 10.4.77.0/24 dev eth0",
		"ip link set eth0 mtu 1400", "ip link set eth0 down",
	})
}

// TestObserveWhileAllChanges looks at a kernel that somebody else writes to.
func TestObserveWhileAllChanges(t *testing.T) {
	ns := newHost(t)
	a := newAgent(t, ns, networks...)
	a.settle(tunnels)
	other := newAgent(t, ns, networks...)
	other.observe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		add, remove := churn(t)
		for ctx.Err() == nil {
			other.k.Apply(ctx, add)
			other.k.Apply(ctx, remove)
		}
	}()
	for range 200 {
		a.observe()
	}
	cancel()
	<-done
}

func churn(t *testing.T) (add, remove []netstate.Op) {
	s := rows(t, `
		neigh 10.5.9.0 mac 0a:00:00:00:09:01 dev flannel.1
		fdb 0a:00:00:00:09:01 dst 10.4.8.22 dev flannel.1
		route 10.5.9.0/24 via 10.5.9.0 dev flannel.1 onlink
		route fd05:0:0:9::/64 via fd05:0:0:9:: dev flannel-v6.1 onlink`)
	return netstate.Diff(&netstate.State{}, s), netstate.Diff(s, &netstate.State{})
}
