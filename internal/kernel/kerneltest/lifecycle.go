package kerneltest

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/weft-net/weft/internal/netstate"
)

// lives are rows and what they change into.
var lives = []struct{ name, from, to string }{
	{"sysctl", "sysctl net/ipv4/ip_forward 1", "sysctl net/ipv4/ip_forward 0"},
	{"sysctl6", "sysctl net/ipv6/conf/all/forwarding 1", "sysctl net/ipv6/conf/all/forwarding 0"},
	{"sysctl of a device", "sysctl net/ipv6/conf/flannel-v6.1/accept_ra 0", "sysctl net/ipv6/conf/flannel-v6.1/accept_ra 2"},
	{"offload", "offload flannel.1 tx-checksumming off", ""},
	{"offload6", "offload flannel-v6.1 tx-checksumming off", ""},
	{"addr", "addr 10.5.1.0/32 dev flannel.1", ""},
	{"addr6", "addr fd05:0:0:1::/128 dev flannel-v6.1", ""},
	{"neigh", "neigh 10.5.2.0 mac 0a:00:00:00:02:01 dev flannel.1", "neigh 10.5.2.0 mac 0a:00:00:00:02:ff dev flannel.1"},
	{"neigh6", "neigh fd05:0:0:2:: mac 0a:00:00:00:02:01 dev flannel-v6.1", "neigh fd05:0:0:2:: mac 0a:00:00:00:02:ff dev flannel-v6.1"},
	{"fdb", "fdb 0a:00:00:00:02:01 dst 10.4.8.22 dev flannel.1", "fdb 0a:00:00:00:02:01 dst 10.4.8.99 dev flannel.1"},
	{"fdb6", "fdb 0a:00:00:00:02:01 dst fd00:4:8::22 dev flannel-v6.1", "fdb 0a:00:00:00:02:01 dst fd00:4:8::99 dev flannel-v6.1"},
	{"route", "route 10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink", "route 10.5.2.0/24 via 10.4.7.22 dev eth0"},
	{"route6", "route fd05:0:0:2::/64 via fd05:0:0:2:: dev flannel-v6.1 onlink", "route fd05:0:0:2::/64 via fd00:4:7::22 dev eth0"},
	{"route to device", "route 10.5.2.0/24 via 10.4.7.22 dev eth0", "route 10.5.2.0/24 dev flannel.1"},
	{"route6 to device", "route fd05:0:0:2::/64 via fd00:4:7::22 dev eth0", "route fd05:0:0:2::/64 dev flannel-v6.1"},
	{"device to route", "route 10.5.2.0/24 dev flannel.1", "route 10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink"},
	{"device to route6", "route fd05:0:0:2::/64 dev flannel-v6.1", "route fd05:0:0:2::/64 via fd05:0:0:2:: dev flannel-v6.1 onlink"},
	{"mtu", "route 10.5.2.0/24 via 10.4.7.22 dev eth0 mtu 1352", "route 10.5.2.0/24 via 10.4.7.22 dev eth0 mtu 1400"},
	{"mtu no longer", "route 10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink mtu 1352", "route 10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink"},
	{"mtu6", "route fd05:0:0:2::/64 via fd05:0:0:2:: dev flannel-v6.1 onlink", "route fd05:0:0:2::/64 via fd05:0:0:2:: dev flannel-v6.1 onlink mtu 1352"},
	{"mtu6 by another device", "route fd05:0:0:2::/64 via fd05:0:0:2:: dev flannel-v6.1 onlink mtu 1352", "route fd05:0:0:2::/64 via fd00:4:7::22 dev eth0"},
	{"onlink", "route 10.5.2.0/24 via 10.4.7.22 dev eth0 onlink", "route 10.5.2.0/24 via 10.4.7.22 dev eth0"},
	{"unreachable", "route 10.5.0.0/16 unreachable", ""},
	{"unreachable6", "route fd05::/48 unreachable", ""},
	{"blackhole", "route 10.5.1.0/24 blackhole", ""},
	{"blackhole6", "route fd05:0:0:1::/64 blackhole", ""},
	{"whole network", "route 10.5.0.0/16 dev flannel.1", ""},
}

func testLifecycle(t *testing.T, h Host) {
	apply(t, h.Kernel, netstate.Diff(&netstate.State{}, state(t, links))...)
	for _, life := range lives {
		t.Run(life.name, func(t *testing.T) { live(t, h, life.from, life.to) })
	}
}

// live leads a row through its life.
func live(t *testing.T, h Host, from, to string) {
	first := row(t, from)
	s := scope(t)
	if c, ok := first.(netstate.Sysctl); ok {
		s.Sysctls = []string{c.Name}
	}
	step := func(op netstate.Op) {
		t.Helper()
		apply(t, h.Kernel, op)
		apply(t, h.Kernel, op) // whatever is done already succeeds
		stands(t, h, s, op.Row, op.Verb != netstate.Remove)
	}
	step(netstate.Op{Verb: netstate.Add, Row: first})
	if to != "" {
		second := row(t, to)
		step(netstate.Op{Verb: netstate.Replace, Row: second, Have: first})
		step(netstate.Op{Verb: netstate.Replace, Row: first, Have: second})
	}
	if _, ok := first.(netstate.Sysctl); !ok { // parameters are not removed
		step(netstate.Op{Verb: netstate.Remove, Row: first, Have: first})
	}
}

// stands checks that exactly r stands, or no row of its identity.
func stands(t *testing.T, h Host, s netstate.Scope, r netstate.Row, want bool) {
	t.Helper()
	have := observe(t, h.Kernel, s).Find(r)
	if want && have != r {
		t.Fatalf("wanted %q, observed %v", r, have)
	}
	if !want && have != nil {
		t.Fatalf("%q is still there", have)
	}
}

func testAdopt(t *testing.T, h Host) {
	link := row(t, links).(netstate.Link)
	old := link
	old.MTU, old.MAC, old.Up = 1300, netstate.MAC{10, 9, 8, 7, 6, 5}, false
	apply(t, h.Other, netstate.Op{Verb: netstate.Add, Row: old})
	want := netstate.StateOf(link)
	s := netstate.ScopeOf(networks, want)
	expect(t, h.Kernel, s, netstate.StateOf(old))
	ops := settle(t, h.Kernel, s, want)
	if len(ops) != 1 || ops[0].Verb != netstate.Replace {
		t.Errorf("a device that can be adopted was not: %v", ops)
	}
	down := link
	down.Up = false
	settle(t, h.Kernel, s, netstate.StateOf(down))
}

func testRemake(t *testing.T, h Host) {
	want := state(t, base)
	settle(t, h.Kernel, scope(t), want)
	for _, edit := range []struct{ from, to string }{
		{"vni 1 ", "vni 2 "}, {"8472", "8473"}, {"nolearning", "learning"}, {"learning mtu", "learning gbp mtu"},
	} {
		want = state(t, strings.ReplaceAll(want.String(), edit.from, edit.to))
		settle(t, h.Kernel, scope(t), want)
	}
}

func testBusyVNI(t *testing.T, h Host) {
	busy := row(t, links).(netstate.Link)
	busy.Name, busy.MAC = "someones", netstate.MAC{0x0a, 0, 0, 0, 0, 0x99}
	apply(t, h.Other, netstate.Op{Verb: netstate.Add, Row: busy})
	errs := h.Kernel.Apply(t.Context(), []netstate.Op{{Verb: netstate.Add, Row: row(t, links)}})
	if !errors.Is(errs[0], syscall.EEXIST) || !strings.Contains(errs[0].Error(), "someones") {
		t.Errorf("the error does not name the device in the way: %v", errs[0])
	}
	lower := busy
	lower.Name, lower.VNI, lower.Dev = "flannel.7", 7, "eth9"
	errs = h.Kernel.Apply(t.Context(), []netstate.Op{{Verb: netstate.Add, Row: lower}})
	if !errors.Is(errs[0], syscall.ENODEV) || !strings.Contains(errs[0].Error(), "eth9") {
		t.Errorf("the error does not name the device that is missing: %v", errs[0])
	}
}

// testFailures lets the middle of each batch fail.
func testFailures(t *testing.T, h Host) {
	apply(t, h.Kernel, netstate.Diff(&netstate.State{}, state(t, links))...)
	var ops []netstate.Op
	var text strings.Builder
	for i := range 30 {
		dev, dev6 := "flannel.1", "flannel-v6.1"
		if i%3 == 1 {
			dev, dev6 = "nowhere", "nowhere"
		}
		fmt.Fprintf(&text, "neigh 10.5.%d.0 mac 0a:00:00:00:00:%02x dev %s\n", i, i, dev)
		fmt.Fprintf(&text, "neigh fd05:0:0:%x:: mac 0a:00:00:00:00:%02x dev %s\n", i, i, dev6)
		fmt.Fprintf(&text, "fdb 0a:00:00:00:00:%02x dst 10.4.8.%d dev %s\n", i, i, dev)
		fmt.Fprintf(&text, "route 10.5.%d.0/24 via 10.5.%d.0 dev %s onlink\n", i, i, dev)
		fmt.Fprintf(&text, "route fd05:0:0:%x::/64 via fd05:0:0:%x:: dev %s onlink\n", i, i, dev6)
	}
	for _, r := range state(t, text.String()).Rows() {
		ops = append(ops, netstate.Op{Verb: netstate.Add, Row: r})
	}
	observe(t, h.Kernel, scope(t))
	errs := h.Kernel.Apply(t.Context(), ops)
	have := observe(t, h.Kernel, scope(t))
	for i, op := range ops {
		fails := strings.Contains(op.Row.String(), "nowhere")
		if fails != (errs[i] != nil) || fails && !errors.Is(errs[i], syscall.ENODEV) {
			t.Errorf("%s: %v", op, errs[i])
		}
		if fails && errs[i] != nil && !strings.Contains(errs[i].Error(), op.Row.String()) {
			t.Errorf("the error does not name the object %q: %v", op.Row, errs[i])
		}
		if !fails && have.Find(op.Row) != op.Row {
			t.Errorf("%s is not there", op.Row)
		}
	}
}
