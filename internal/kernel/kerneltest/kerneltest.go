// Package kerneltest is the suite that every reconcile.Kernel passes: the one
// that speaks to Linux and the in-memory twin that tests of other packages
// rely on. It tests what the interface promises, nothing beyond.
package kerneltest

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/reconcile"
)

// Secrets runs what needs a kernel that has secrets.
func Secrets(t *testing.T, newHost func(*testing.T) Host) { testWireGuardSecrets(t, newHost(t)) }

// Host is a host with a device eth0 that is up and has the addresses
// 10.4.7.21/24 and fd00:4:7::21/64, and with nothing else but a loopback.
type Host struct {
	Kernel reconcile.Kernel // under test
	Other  reconcile.Kernel // another process on the same host
}

// Run runs the suite. newHost makes a new host for each test.
func Run(t *testing.T, newHost func(*testing.T) Host) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Host)
	}{
		{"Add, replace and remove", testLifecycle},
		{"Values that will do stay", testUnless},
		{"Adopt a device", testAdopt},
		{"Make a device anew", testRemake},
		{"Rename a device under its objects", testRename},
		{"Refuse a busy VNI", testBusyVNI},
		{"Leave a foreign device alone", testForeignDevice},
		{"Offloads that others turned off stay", testOffloadsOfOthers},
		{"Foreign routes", testForeignRoutes},
		{"Remove only our own", testForeignSuccessor},
		{"Connected routes stay", testConnectedRoutes},
		{"Two agents on one host", testTwoAgents},
		{"Sweep what a predecessor left", testSweep},
		{"Go on after a failure", testFailures},
		{"Report changes by others", testEvents},
		{"Own changes are no news", testEcho},
		{"Firewall", testRules},
		{"Own changes of the firewall are no news", testOwnRules},
		{"Meddling with the firewall", testMeddling},
		{"Look at one kind", testKinds},
		{"WireGuard", testWireGuard},
		{"Adopt a WireGuard device", testWireGuardAdopt},
		{"Ten thousand peers", testMany},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newHost(t)) })
	}
}

// base is a whole small network: what one peer needs.
const base = `
link  flannel.1 vxlan vni 1 local 10.4.7.21 dev eth0 port 8472 nolearning mtu 1400 mac 0a:00:00:00:00:01 up
link  flannel-v6.1 vxlan vni 1 local fd00:4:7::21 dev eth0 port 8472 nolearning mtu 1400 mac 0a:00:00:00:00:02 up
offload flannel.1 tx-checksumming off
sysctl net/ipv4/ip_forward 1
sysctl net/ipv6/conf/all/forwarding 1
sysctl net/ipv4/conf/flannel.1/rp_filter 2
addr  10.5.1.0/32 dev flannel.1
addr  fd05:0:0:1::/128 dev flannel-v6.1
neigh 10.5.2.0 mac 0a:00:00:00:02:01 dev flannel.1
neigh fd05:0:0:2:: mac 0a:00:00:00:02:02 dev flannel-v6.1
fdb   0a:00:00:00:02:01 dst 10.4.8.22 dev flannel.1
fdb   0a:00:00:00:02:02 dst fd00:4:8::22 dev flannel-v6.1
route 10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink
route 10.5.3.0/24 via 10.4.7.23 dev eth0
route fd05:0:0:2::/64 via fd05:0:0:2:: dev flannel-v6.1 onlink
route fd05:0:0:3::/64 via fd00:4:7::23 dev eth0
`

// links is the part of base that others stand on.
var links = strings.Join(strings.Split(base, "\n")[:3], "\n")

var networks = []netip.Prefix{netip.MustParsePrefix("10.5.0.0/16"), netip.MustParsePrefix("fd05::/48")}

// state reads rows.
func state(t *testing.T, text string) *netstate.State {
	t.Helper()
	s, err := netstate.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// scope is that of an agent that wants the rows of base.
func scope(t *testing.T) netstate.Scope { return netstate.ScopeOf(networks, state(t, base)) }

// row reads one row.
func row(t *testing.T, text string) netstate.Row { return state(t, text).Rows()[0] }

func observe(t *testing.T, k reconcile.Kernel, s netstate.Scope) *netstate.State {
	t.Helper()
	have, err := k.Observe(t.Context(), s, netstate.AllKinds)
	if err != nil {
		t.Fatal(err)
	}
	return have
}

// settle makes k equal to want and checks that it is.
func settle(t *testing.T, k reconcile.Kernel, s netstate.Scope, want *netstate.State) []netstate.Op {
	t.Helper()
	have := observe(t, k, s)
	ops := netstate.Diff(have, want)
	apply(t, k, ops...)
	expect(t, k, s, netstate.Observed(have).Settle(want).State)
	return ops
}

// apply carries out ops, none of which may fail.
func apply(t *testing.T, k reconcile.Kernel, ops ...netstate.Op) {
	t.Helper()
	errs := k.Apply(t.Context(), ops)
	if len(errs) != len(ops) {
		t.Fatalf("%d ops have %d errors", len(ops), len(errs))
	}
	for i, err := range errs {
		if err != nil {
			t.Errorf("%s: %v", ops[i], err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// expect checks that k observes exactly want. Parameters that want does not
// mention have the value they came with.
func expect(t *testing.T, k reconcile.Kernel, s netstate.Scope, want *netstate.State) {
	t.Helper()
	s.Sysctls = netstate.ScopeOf(nil, want).Sysctls
	have := observe(t, k, s)
	if have.String() == want.String() {
		return
	}
	for _, op := range netstate.Diff(want, have) {
		t.Errorf("differs from what is wanted: %s", op)
	}
	t.Fatalf("observed:\n%swanted:\n%s", have, want)
}

// watch starts watching and returns the events to come.
func watch(t *testing.T, k reconcile.Kernel) <-chan netstate.Event {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	events := make(chan netstate.Event, 1<<16) // more than any test makes
	done := make(chan error, 1)
	go func() { done <- k.Watch(ctx, func(e netstate.Event) { events <- e }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch ended with %v", err)
		}
	})
	if e := next(t, events); e != (netstate.Event{}) {
		t.Fatalf("the first event is %v, not the one that asks to look at everything", e)
	}
	return events
}

// patience is far beyond what any event takes on a busy machine.
const patience = 20 * time.Second

func next(t *testing.T, events <-chan netstate.Event) netstate.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(patience):
		t.Fatal("no event came")
		return netstate.Event{}
	}
}
