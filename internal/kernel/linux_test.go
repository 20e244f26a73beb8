package kernel_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/test/absence"
)

// These tests look at the kernel from outside, with ip(8), and try what only
// Linux does. What every kernel must do is in kerneltest.

var networks = []netip.Prefix{netip.MustParsePrefix("10.5.0.0/16"), netip.MustParsePrefix("fd05::/48")}

const tunnels = `
link flannel.1 vxlan vni 1 local 10.4.7.21 dev eth0 port 8472 nolearning mtu 1400 mac 0a:00:00:00:00:01 up
link flannel-v6.1 vxlan vni 1 local fd00:4:7::21 dev eth0 port 8472 nolearning mtu 1400 mac 0a:00:00:00:00:02 up
`

// TestIPIP leads an ipip device through its life: made, changed in place and anew, found by a
// successor, repaired, removed.
func TestIPIP(t *testing.T) {
	absence.IPIP(t)
	ns := newHost(t)
	a := newAgent(t, ns, networks...)
	const device = "link flannel.ipip ipip local 10.4.7.21 mtu 1480 up\naddr 10.5.1.0/32 dev flannel.ipip\n"
	const route = "route 10.5.2.0/24 via 10.4.7.22 dev flannel.ipip onlink\n"
	a.settle(device + route)
	if out := shell(t, ns, "ip -d link show flannel.ipip; ip route show 10.5.2.0/24"); !strings.Contains(out, "local 10.4.7.21") {
		t.Error(out)
	}
	for _, text := range []string{strings.Replace(device, "1480", "1400", 1), strings.Replace(device, "7.21", "7.99", 1), device} {
		a.settle(text + route)
	}
	if ops := netstate.Diff(newAgent(t, ns, networks...).observe(), rows(t, device+route)); len(ops) > 0 {
		t.Errorf("a successor changes %v", ops)
	}
	shell(t, ns, "ip link del flannel.ipip; ip link add flannel.ipip type ipip local 10.4.7.21 remote 10.4.7.22; ip addr add 10.5.1.0/32 dev flannel.ipip")
	a.settle(device + route)
	a.settle("")
}

func rows(t testing.TB, text string) *netstate.State {
	t.Helper()
	s, err := netstate.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// agent is a Kernel with what it wants.
type agent struct {
	*testing.T
	k     *kernel.Kernel
	scope netstate.Scope
}

func newAgent(t *testing.T, ns *netns.NS, networks ...netip.Prefix) *agent {
	return &agent{T: t, k: open(t, ns), scope: netstate.Scope{
		Networks: networks, Links: []string{"flannel.1", "flannel-v6.1"},
	}}
}

func (a *agent) observe() *netstate.State {
	a.Helper()
	have, err := a.k.Observe(a.Context(), a.scope, netstate.AllKinds)
	if err != nil {
		a.Fatal(err)
	}
	return have
}

// settle makes the kernel equal to text and returns what it took.
func (a *agent) settle(text string) []netstate.Op {
	a.Helper()
	ops := netstate.Diff(a.observe(), rows(a, text))
	for i, err := range a.k.Apply(a.Context(), ops) {
		if err != nil {
			a.Fatalf("%s: %v", ops[i], err)
		}
	}
	if left := netstate.Diff(a.observe(), rows(a, text)); len(left) != 0 {
		a.Fatalf("still to do: %v", left)
	}
	return ops
}

// add carries out the addition of rows and returns the errors by their text.
func (a *agent) add(text string) map[string]error {
	a.Helper()
	ops := netstate.Diff(&netstate.State{}, rows(a, text))
	failed := map[string]error{}
	for i, err := range a.k.Apply(a.Context(), ops) {
		if err != nil {
			failed[ops[i].Row.String()] = err
		}
	}
	return failed
}

func count(text, part string) int { return strings.Count(text, part) }

func TestNexthopsAreSharedAndSwept(t *testing.T) {
	ns := newHost(t)
	shell(t, ns, "ip nexthop add id 5 via 10.4.7.99 dev eth0 proto static; ip nexthop add id 6 via 10.4.7.98 dev eth0 proto 119")
	a := newAgent(t, ns, networks...)
	a.settle(tunnels + `
		route 10.5.2.0/24 via 10.4.7.22 dev eth0
		route 10.5.3.0/24 via 10.4.7.22 dev eth0
		route 10.5.4.0/24 via 10.4.7.22 dev eth0 onlink
		route 10.5.5.0/24 via 10.5.5.0 dev flannel.1 onlink
		route fd05:0:0:2::/64 via fd00:4:7::22 dev eth0
		route fd05:0:0:3::/64 via fd00:4:7::22 dev eth0`)
	if out := shell(t, ns, "ip nexthop"); count(out, "\n") != 2+4 {
		t.Errorf("want four nexthops of ours beside two of others, have:\n%s", out)
	}
	if out := shell(t, ns, "ip route; ip -6 route"); count(out, "nhid") != 6 {
		t.Errorf("want six routes through nexthops, have:\n%s", out)
	}
	a.settle(tunnels + "route 10.5.3.0/24 via 10.4.7.22 dev eth0\nroute 10.5.4.0/24 via 10.4.7.23 dev eth0")
	if out := shell(t, ns, "ip nexthop"); count(out, "\n") != 2+2 {
		t.Errorf("want two nexthops of ours beside two of others, have:\n%s", out)
	}
	a.settle(tunnels)
	if out := shell(t, ns, "ip nexthop"); count(out, "\n") != 2 || count(out, "id 5 ") != 1 || count(out, "id 6 ") != 1 {
		t.Errorf("only nexthops of others may be left, have:\n%s", out)
	}
}

func TestStaleNexthopsGoAndThoseOfOtherAgentsStay(t *testing.T) {
	ns := newHost(t)
	other := newAgent(t, ns, netip.MustParsePrefix("10.6.0.0/16"))
	other.scope.Links = nil
	other.settle("route 10.6.2.0/24 via 10.4.7.22 dev eth0")
	before := newAgent(t, ns, networks...)
	before.settle("route 10.5.2.0/24 via 10.4.7.22 dev eth0\nroute fd05:0:0:2::/64 via fd00:4:7::22 dev eth0")
	shell(t, ns, "ip route del 10.5.2.0/24; ip route del fd05:0:0:2::/64")
	if out := shell(t, ns, "ip nexthop"); count(out, "\n") != 3 {
		t.Fatalf("want three idle nexthops, have:\n%s", out)
	}
	after := newAgent(t, ns, networks...)
	after.settle("")
	if out := shell(t, ns, "ip nexthop"); count(out, "\n") != 1 {
		t.Errorf("only the other agent's nexthop may be left, have:\n%s", out)
	}
	other.settle("route 10.6.2.0/24 via 10.4.7.22 dev eth0")
}

// TestNexthopsGoneBehindOurBack lets Apply find out that an object it counts
// on is gone.
func TestNexthopsGoneBehindOurBack(t *testing.T) {
	ns := newHost(t)
	a := newAgent(t, ns, networks...)
	a.settle("route 10.5.2.0/24 via 10.4.7.22 dev eth0\nroute fd05:0:0:2::/64 via fd00:4:7::22 dev eth0")
	shell(t, ns, "ip nexthop flush proto 119")
	more := "route 10.5.3.0/24 via 10.4.7.22 dev eth0\nroute fd05:0:0:3::/64 via fd00:4:7::22 dev eth0"
	if failed := a.add(more); len(failed) != 0 {
		t.Fatal(failed)
	}
	if left := netstate.Diff(a.observe(), rows(t, more)); len(left) != 0 {
		t.Errorf("still to do: %v", left)
	}
}

func TestRoutesThatNameTheNexthopAlone(t *testing.T) {
	ns := newHost(t)
	shell(t, ns, "echo 0 > /proc/sys/net/ipv4/nexthop_compat_mode")
	a := newAgent(t, ns, networks...)
	a.settle(tunnels + "route 10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink\nroute fd05:0:0:2::/64 via fd00:4:7::22 dev eth0")
}

// TestPlainGatewayIsAsGood finds routes of ours that were put in without
// nexthop objects.
func TestPlainGatewayIsAsGood(t *testing.T) {
	ns := newHost(t)
	shell(t, ns, `
		ip route add 10.5.2.0/24 via 10.4.7.22 proto 119
		ip route add 10.5.3.0/24 via 10.9.9.9 dev eth0 onlink proto 119
		ip route add fd05:0:0:2::/64 via fd00:4:7::22 proto 119`)
	ops := newAgent(t, ns, networks...).settle(`
		route 10.5.2.0/24 via 10.4.7.22 dev eth0
		route 10.5.3.0/24 via 10.9.9.9 dev eth0 onlink
		route fd05:0:0:2::/64 via fd00:4:7::22 dev eth0`)
	if len(ops) != 0 {
		t.Errorf("needless changes: %v", ops)
	}
}

// TestForeignRoutesOfEveryKindGiveWay puts routes of all kinds where ours
// belong.
func TestForeignRoutesOfEveryKindGiveWay(t *testing.T) {
	const want = tunnels + `
		route 10.5.2.0/24 via 10.5.2.0 dev flannel.1 onlink
		route fd05:0:0:2::/64 via fd05:0:0:2:: dev flannel-v6.1 onlink`
	for name, script := range map[string]string{
		"gateway":   "ip route add 10.5.2.0/24 via 10.4.7.9; ip route add fd05:0:0:2::/64 via fd00:4:7::9",
		"device":    "ip route add 10.5.2.0/24 dev eth0; ip route add fd05:0:0:2::/64 dev eth0",
		"blackhole": "ip route add blackhole 10.5.2.0/24; ip route add blackhole fd05:0:0:2::/64",
		"multipath": `ip route add 10.5.2.0/24 nexthop via 10.4.7.8 nexthop via 10.4.7.9
			ip route add fd05:0:0:2::/64 nexthop via fd00:4:7::8 nexthop via fd00:4:7::9`,
		"nexthop object": `ip nexthop add id 7 via 10.4.7.9 dev eth0; ip nexthop add id 8 via fd00:4:7::9 dev eth0
			ip route add 10.5.2.0/24 nhid 7; ip route add fd05:0:0:2::/64 nhid 8`,
		"nexthop group": `ip nexthop add id 7 via 10.4.7.9 dev eth0; ip nexthop add id 8 via fd00:4:7::9 dev eth0
			ip nexthop add id 9 group 7; ip nexthop add id 10 group 8
			ip route add 10.5.2.0/24 nhid 9; ip route add fd05:0:0:2::/64 nhid 10`,
		"several": `ip route add 10.5.2.0/24 via 10.4.7.9; ip route append 10.5.2.0/24 via 10.4.7.8
			ip route add fd05:0:0:2::/64 dev eth0; ip route append fd05:0:0:2::/64 dev lo`,
		"better metric": "ip route add 10.5.2.0/24 via 10.4.7.9; ip route add fd05:0:0:2::/64 via fd00:4:7::9 metric 10",
		"covering":      "ip route add 10.5.0.0/16 dev eth0; ip route add fd05::/48 dev eth0",
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s plain=%v", name, plain), func(t *testing.T) {
				ns := newHost(t)
				shell(t, ns, script)
				a := newAgent(t, ns, networks...)
				if plain {
					a.k.WithoutNexthops()
				}
				a.settle(want)
				if out := shell(t, ns, "ip route get 10.5.2.7; ip route get fd05:0:0:2::7"); count(out, "dev flannel") != 2 {
					t.Errorf("packets go elsewhere:\n%s\n%s", out, shell(t, ns, "ip route; ip -6 route"))
				}
				a.settle(tunnels)
			})
		}
	}
}

// TestBetterMetricPutBeforeOurs has somebody overtake a route of ours.
func TestBetterMetricPutBeforeOurs(t *testing.T) {
	ns := newHost(t)
	a := newAgent(t, ns, networks...)
	const want = "route fd05:0:0:2::/64 via fd00:4:7::22 dev eth0"
	a.settle(want)
	shell(t, ns, "ip route add fd05:0:0:2::/64 via fd00:4:7::9 metric 10; ip route add fd05:0:0:9::/64 via fd00:4:7::9 metric 10")
	a.settle(want)
	if out := shell(t, ns, "ip -6 route show root fd05::/48"); count(out, "\n") != 2 || count(out, "fd00:4:7::22") != 1 {
		t.Errorf("want our route and the one of somebody else's that is in nobody's way, have:\n%s", out)
	}
}

// TestRenamedDeviceIsMadeAnew has somebody rename our devices; nobody else's
// are touched for that.
func TestRenamedDeviceIsMadeAnew(t *testing.T) {
	ns := newHost(t)
	a := newAgent(t, ns, networks...)
	a.settle(tunnels)
	shell(t, ns, `ip link add theirs address 0a:00:00:00:00:01 type vxlan id 9 dstport 8472 dev eth0
		for d in flannel.1 flannel-v6.1; do ip link set $d down; ip link set $d name lost${d#flannel}; done`)
	a.settle(tunnels)
	if out := shell(t, ns, "ip -o link show type vxlan"); count(out, "\n") != 3 || count(out, "lost") != 0 || count(out, "theirs") != 1 {
		t.Errorf("devices:\n%s", out)
	}
}

// TestForeignRoutePutBeforeOurs has somebody push a route ahead of ours.
func TestForeignRoutePutBeforeOurs(t *testing.T) {
	ns := newHost(t)
	a := newAgent(t, ns, networks...)
	const want = "route 10.5.2.0/24 via 10.4.7.22 dev eth0"
	a.settle(want)
	shell(t, ns, "ip route prepend 10.5.2.0/24 via 10.4.7.9")
	a.settle(want)
	if out := shell(t, ns, "ip route get 10.5.2.7"); count(out, "10.4.7.22") != 1 {
		t.Errorf("packets go elsewhere:\n%s", out)
	}
}

// TestLowerDeviceComesToAVRF makes a device anew, which binds its socket to the
// VRF that the lower device belongs to by now.
func TestLowerDeviceComesToAVRF(t *testing.T) {
	ns := newHost(t)
	a := newAgent(t, ns, networks...)
	in := func(vrf string) string {
		return "link flannel.1 vxlan vni 1 local 10.4.7.21 dev eth0" + vrf + " port 8472 nolearning mtu 1450 mac 0a:4f:76:eb:12:f5 up\n"
	}
	index := func() string {
		out := shell(t, ns, "ip -o link show flannel.1")
		return out[:strings.Index(out, ":")]
	}
	a.settle(in(""))
	without := index()
	a.settle(in(" vrf blue"))
	within := index()
	if within == without {
		t.Error("the device is the same")
	}
	a.settle(in(" vrf blue"))
	if index() != within {
		t.Error("made anew without need")
	}
	a.settle(in(""))
}
