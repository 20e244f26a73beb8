package kerneltest

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/netstate"
)

// testForeignDevice wants a tunnel where a device of another kind stands: the
// loopback, the one device that is foreign on every host.
func testForeignDevice(t *testing.T, h Host) {
	link := row(t, links).(netstate.Link)
	link.Name, link.Dev = "lo", ""
	s := netstate.Scope{Networks: networks, Links: []string{"lo"}}
	have := observe(t, h.Kernel, s)
	if have.Links.Len() != 1 || !have.Links.Slice()[0].Foreign() {
		t.Fatalf("the loopback is not a foreign device: %v", have)
	}
	want := netstate.StateOf(link)
	ops := netstate.Diff(have, want)
	if len(ops) != 1 || ops[0].Verb != netstate.Replace {
		t.Fatalf("unexpected changes %v", ops)
	}
	err := h.Kernel.Apply(t.Context(), ops)[0]
	if err == nil || !strings.Contains(err.Error(), "lo") || !strings.Contains(err.Error(), have.Links.Slice()[0].Kind) {
		t.Errorf("the error does not name the foreign device and its kind: %v", err)
	}
	remove := netstate.Op{Verb: netstate.Remove, Row: link, Have: link}
	if err := h.Kernel.Apply(t.Context(), []netstate.Op{remove})[0]; err == nil {
		t.Error("a foreign device was removed in place of ours")
	}
	for _, verb := range []netstate.Verb{netstate.Add, netstate.Remove} {
		op := netstate.Op{Verb: verb, Row: netstate.Offload{Dev: "lo"}}
		if err := h.Kernel.Apply(t.Context(), []netstate.Op{op})[0]; err == nil || !strings.Contains(err.Error(), "lo") {
			t.Errorf("%s of a foreign device: %v", op, err)
		}
	}
	expect(t, h.Kernel, s, have)
	if ops := netstate.Diff(have, &netstate.State{}); len(ops) != 0 {
		t.Errorf("a foreign device would be removed: %v", ops)
	}
}

// testOffloadsOfOthers lets tx-checksumming be that somebody else has turned off on
// a device of ours, until the device goes.
func testOffloadsOfOthers(t *testing.T, h Host) {
	want, s := state(t, links), scope(t)
	settle(t, h.Kernel, s, want)
	off := row(t, "offload flannel.1 tx-checksumming off")
	apply(t, h.Other, netstate.Op{Verb: netstate.Add, Row: off})
	if ops := settle(t, h.Kernel, s, want); len(ops) > 0 {
		t.Errorf("this is changed: %v", ops)
	}
	stands(t, h, s, off, true)
	settle(t, h.Kernel, s, &netstate.State{})
	settle(t, h.Kernel, s, want)
	stands(t, h, s, off, false)
}

// testForeignSuccessor removes routes of ours that somebody has replaced since
// we looked.
func testForeignSuccessor(t *testing.T, h Host) {
	s := netstate.Scope{Networks: networks}
	ours := state(t, "route 10.5.2.0/24 via 10.4.7.22 dev eth0\nroute fd05:0:0:2::/64 via fd00:4:7::22 dev eth0")
	theirs := state(t, "route 10.5.2.0/24 via 10.4.7.99 dev eth0 proto 4\nroute fd05:0:0:2::/64 via fd00:4:7::99 dev eth0 proto 4")
	settle(t, h.Kernel, s, ours)
	apply(t, h.Other, netstate.Diff(ours, theirs)...)
	apply(t, h.Kernel, netstate.Diff(ours, &netstate.State{})...)
	expect(t, h.Kernel, s, theirs)
}

// testConnectedRoutes wants routes where the kernel has put those of the host's
// own networks.
func testConnectedRoutes(t *testing.T, h Host) {
	connected := state(t, "route 10.5.2.0/24 dev eth0 proto 2\nroute fd05:0:0:2::/64 dev eth0 proto 2")
	apply(t, h.Other, netstate.Diff(&netstate.State{}, connected)...)
	ours := state(t, "route 10.5.2.0/24 via 10.4.7.22 dev eth0\nroute fd05:0:0:2::/64 via fd00:4:7::22 dev eth0")
	s := netstate.Scope{Networks: networks}
	for range 2 {
		ops := netstate.Diff(observe(t, h.Kernel, s), ours)
		for i, err := range h.Kernel.Apply(t.Context(), ops) {
			if err == nil || !strings.Contains(err.Error(), "eth0") {
				t.Errorf("%s, where a connected route stands: %v", ops[i], err)
			}
		}
	}
	apply(t, h.Kernel, netstate.Diff(ours, &netstate.State{})...)
	for _, r := range connected.Routes.Slice() { // they were there to be removed
		apply(t, h.Other, netstate.Op{Verb: netstate.Remove, Row: r, Have: r})
	}
	settle(t, h.Kernel, s, ours)
}

const foreign = `
route 10.5.2.0/24 via 10.4.7.99 dev eth0 proto 4
route 10.5.9.0/24 via 10.4.7.99 dev eth0 proto 3
route 10.9.0.0/24 via 10.4.7.99 dev eth0 proto 4
route fd05:0:0:2::/64 via fd00:4:7::99 dev eth0 proto 4
route fd05:0:0:9::/64 via fd00:4:7::99 dev eth0 proto 3
route fd09::/64 via fd00:4:7::99 dev eth0 proto 4
`

// testForeignRoutes lets wanted routes take the place of foreign ones, and
// leaves the others be, also when all of ours go.
func testForeignRoutes(t *testing.T, h Host) {
	apply(t, h.Other, netstate.Diff(&netstate.State{}, state(t, foreign))...)
	want := state(t, base)
	want.Sysctls = netstate.Table[netstate.Sysctl]{}
	s := netstate.ScopeOf(networks, want)
	have := observe(t, h.Kernel, s)
	if have.Routes.Len() != 4 {
		t.Fatalf("of six foreign routes four lead into our networks, observed:\n%s", have)
	}
	settle(t, h.Kernel, s, want)
	settle(t, h.Kernel, s, want)
	settle(t, h.Kernel, s, &netstate.State{})
	rest := state(t, "route 10.5.9.0/24 via 10.4.7.99 dev eth0 proto 3\nroute fd05:0:0:9::/64 via fd00:4:7::99 dev eth0 proto 3")
	expect(t, h.Kernel, s, rest)
	elsewhere := netstate.Scope{Networks: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParsePrefix("fd09::/48")}}
	if have := observe(t, h.Kernel, elsewhere); have.Routes.Len() != 2 {
		t.Errorf("foreign routes outside our networks were touched, left:\n%s", have)
	}
}

// other is base for another network on the same host.
func other() (text string, networks []netip.Prefix) {
	text = strings.NewReplacer(
		"flannel.1", "flannel.2", "flannel-v6.1", "flannel-v6.2", "vni 1", "vni 2",
		" 10.5.", " 10.6.", "fd05:", "fd06:").Replace(base)
	return text, []netip.Prefix{netip.MustParsePrefix("10.6.0.0/16"), netip.MustParsePrefix("fd06::/48")}
}

func testTwoAgents(t *testing.T, h Host) {
	text, otherNetworks := other()
	mine, its := state(t, base), state(t, text)
	otherScope := netstate.ScopeOf(otherNetworks, its)
	settle(t, h.Kernel, scope(t), mine)
	settle(t, h.Other, otherScope, its)
	expect(t, h.Kernel, scope(t), mine)
	mine.Sysctls, its.Sysctls = netstate.Table[netstate.Sysctl]{}, netstate.Table[netstate.Sysctl]{}
	settle(t, h.Other, netstate.Scope{Networks: otherNetworks}, &netstate.State{})
	expect(t, h.Kernel, netstate.ScopeOf(networks, mine), mine)
	settle(t, h.Other, netstate.ScopeOf(otherNetworks, its), its)
	settle(t, h.Kernel, netstate.Scope{Networks: networks}, &netstate.State{})
	expect(t, h.Other, netstate.ScopeOf(otherNetworks, its), its)
}

// testSweep finds all that an agent left behind with nothing but its networks.
func testSweep(t *testing.T, h Host) {
	left := state(t, base)
	settle(t, h.Other, scope(t), left)
	left.Sysctls = netstate.Table[netstate.Sysctl]{}
	s := netstate.Scope{Networks: networks}
	expect(t, h.Kernel, s, left)
	settle(t, h.Kernel, s, &netstate.State{})
}
