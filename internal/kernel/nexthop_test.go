package kernel_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/owned"
)

// colliding are two agents on one host whose networks have the same tag by chance.
type colliding struct {
	*testing.T
	ns          *netns.NS
	one, two    *agent
	first, last netip.Prefix // their networks
}

func newColliding(t *testing.T) colliding {
	t.Helper()
	seen := map[owned.Tag]netip.Prefix{}
	for i := range 1 << 16 {
		n := netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 8), byte(i), 0}), 24)
		tag := owned.TagOf(n)
		if m, collides := seen[tag]; collides {
			ns := newHost(t)
			return colliding{t, ns, newAgent(t, ns, m), newAgent(t, ns, n), m, n}
		}
		seen[tag] = n
	}
	t.Fatal("no two networks have one tag")
	return colliding{}
}

// to is a route into a network by a gateway.
func to(network netip.Prefix, part, gateway byte) string {
	a := network.Addr().As4()
	a[3] = part
	return fmt.Sprintf("route %s/32 via 10.4.7.%d dev eth0\n", netip.AddrFrom4(a), gateway)
}

// destination is that of the one route in text.
func destination(t *testing.T, text string) netip.Prefix {
	t.Helper()
	return rows(t, text).Rows()[0].(netstate.Route).Dst
}

// expect checks that the routes stand, and the number of nexthop objects.
func (w colliding) expect(routes string, objects int) {
	w.Helper()
	for r := range rows(w.T, routes).Routes.All() {
		if out := shell(w.T, w.ns, "ip route show "+r.Dst.String()); count(out, r.Via.String()+" ") != 1 {
			w.Errorf("want %s, have %q", r, out)
		}
	}
	if out := shell(w.T, w.ns, "ip nexthop"); count(out, "\n") != objects {
		w.Errorf("want %d nexthop objects, have:\n%s", objects, out)
	}
}

// TestOneTagTwoAgents has both know nothing of what the other makes.
func TestOneTagTwoAgents(t *testing.T) {
	w := newColliding(t)
	w.one.observe()
	w.two.observe()
	mine := to(w.first, 1, 22) + to(w.first, 2, 23)
	its := to(w.last, 1, 24) + to(w.last, 2, 22)
	for _, add := range []struct {
		*agent
		routes string
	}{{w.one, mine}, {w.two, its}} {
		if failed := add.add(add.routes); len(failed) != 0 {
			t.Fatal(failed)
		}
	}
	w.expect(mine+its, 4)
	w.two.settle("")
	w.expect(mine, 2)
	w.one.settle(mine)
	w.expect(mine, 2)
}

// TestOneTagNothingIsShared has one agent find the other's objects, and make
// its own all the same: the other may delete them at any time.
func TestOneTagNothingIsShared(t *testing.T) {
	w := newColliding(t)
	mine, its := to(w.first, 1, 22), to(w.last, 1, 22)
	w.one.settle(mine)
	w.two.settle(its)
	w.expect(mine+its, 2)
	w.one.settle("")
	w.expect(its, 1)
	w.two.settle(its)
	w.two.settle("")
	w.expect("", 0)
}

// TestOneTagSweep has an object without routes when one agent looks, and a
// route of the other agent's through it before the first one sweeps.
func TestOneTagSweep(t *testing.T) {
	w := newColliding(t)
	id := owned.TagOf(w.last).ID(1)
	shell(t, w.ns, fmt.Sprintf("ip nexthop add id %d via 10.4.7.22 dev eth0 proto 119", id))
	w.one.observe()
	its := to(w.last, 1, 22)
	shell(t, w.ns, fmt.Sprintf("ip route add %s nhid %d proto 119", destination(t, its), id))
	w.one.k.Apply(t.Context(), nil)
	w.expect(its, 1)
	shell(t, w.ns, "ip route del "+destination(t, its).String())
	w.one.settle("")
	w.expect("", 0)
}

// TestReusedIDStays has somebody else make an object under the id of ours.
func TestReusedIDStays(t *testing.T) {
	for _, theirs := range []string{
		"via 10.4.7.9 dev eth0 proto 119",
		"via 10.4.7.22 dev eth0 proto static",
	} {
		t.Run(theirs, func(t *testing.T) {
			ns := newHost(t)
			a := newAgent(t, ns, networks...)
			const mine = "route 10.5.2.0/24 via 10.4.7.22 dev eth0"
			a.settle(mine)
			shell(t, ns, `
				id=$(ip nexthop | sed -n 's/^id \([0-9]*\) .*/\1/p')
				ip nexthop del id $id
				ip nexthop add id $id `+theirs+`
				ip route add 10.9.0.0/24 nhid $id`)
			remove := netstate.Diff(rows(t, mine), &netstate.State{})
			for _, err := range a.k.Apply(t.Context(), remove) {
				if err != nil {
					t.Error(err)
				}
			}
			if out := shell(t, ns, "ip route show 10.9.0.0/24"); count(out, "\n") != 1 {
				t.Error("the route of somebody else's is gone with the nexthop object")
			}
		})
	}
}
