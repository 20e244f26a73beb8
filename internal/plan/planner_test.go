package plan

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/vxlan"
)

// TestPlannerPlansAsBuildDoes lets peers come, go and change at random, some of
// them at odds with others or with the network, and compares every plan.
func TestPlannerPlansAsBuildDoes(t *testing.T) {
	for _, backend := range []string{
		`{"Type":"vxlan"}`, `{"Type":"vxlan","DirectRouting":true}`, `{"Type":"host-gw"}`,
	} {
		t.Run(backend, func(t *testing.T) {
			c := newComings(t, backend)
			var p Planner
			amended := 0
			for step := range 4000 {
				c.step()
				if p.amend(c.in) != nil {
					amended++
				}
				got, want := render(p.Build(c.in)), render(Build(c.in))
				if got != want {
					t.Fatalf("step %d:\n%s", step, cmp.Diff(want, got))
				}
				all := c.in // as a snapshot has them, this host's own lease among them
				all.Peers = c.in.Peers.With(c.in.Self)
				if got := render(Build(all)); got != want {
					t.Fatalf("step %d, with the own lease among the peers:\n%s", step, cmp.Diff(want, got))
				}
			}
			if amended < 500 || amended > 3500 {
				t.Errorf("%d of 4000 plans were amended: one of the two ways is hardly tested", amended)
			}
		})
	}
}

// comings is a network whose peers come and go.
type comings struct {
	rng *rand.Rand
	in  Input
}

func newComings(t *testing.T, backend string) *comings {
	net, err := netconf.Parse([]byte(`{"EnableIPv6":true,"Network":"10.0.0.0/8","IPv6Network":"fd00::/16","Backend":` + backend + `}`))
	if err != nil {
		t.Fatal(err)
	}
	c := &comings{rng: rand.New(rand.NewPCG(3, 1)), in: Input{Net: net, Host: host.Facts{Uplink: host.Uplink{
		Name: "eth0", MTU: 1500,
		Addrs:  []netip.Addr{netip.MustParseAddr("192.168.0.1"), netip.MustParseAddr("fe00::1")},
		OnLink: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("fe00::/64")},
	}}}}
	c.in.Self = c.lease(0)
	c.in.Self.Backend = net.Backend.Type
	return c
}

// step changes some peers: mostly one, sometimes many, sometimes what all
// depend on.
func (c *comings) step() {
	n := 1
	if c.rng.IntN(20) == 0 {
		n = c.rng.IntN(2 * mostAmended)
	}
	for range n {
		if k := c.in.Peers.Len(); k > 0 && c.rng.IntN(2) == 0 {
			c.in.Peers = c.in.Peers.Without(c.any())
		} else if k > 0 && c.rng.IntN(3) == 0 {
			c.in.Peers = c.in.Peers.With(drained(c.any()))
		} else {
			c.in.Peers = c.in.Peers.With(c.lease(1 + c.rng.IntN(60)))
		}
	}
	if c.rng.IntN(100) == 0 {
		c.in.Host.Uplink.MTU = 1400 + c.rng.IntN(100)
	}
}

// any returns one of the peers.
func (c *comings) any() lease.Lease { return c.in.Peers.Slice()[c.rng.IntN(c.in.Peers.Len())] }

// drained is a lease that the host of l had before.
func drained(l lease.Lease) lease.Lease {
	v4, v6 := l.Subnets[0].Addr().As4(), l.Subnets[1].Addr().As16()
	v4[1], v6[5] = 1, 1
	l.Subnets = []netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4(v4), l.Subnets[0].Bits()),
		netip.PrefixFrom(netip.AddrFrom16(v6), l.Subnets[1].Bits()),
	}
	return l
}

// lease makes up the lease of a host with a number, now and then a bad one.
func (c *comings) lease(number int) lease.Lease {
	bits, mac := [2]int{24, 64}, number
	backend, remote := VXLAN, fmt.Sprintf("192.168.1.%d", number)
	switch c.rng.IntN(60) {
	case 0:
		bits = [2]int{23, 63}
	case 1:
		bits = [2]int{26, 72}
	case 2:
		mac = c.rng.IntN(61)
	case 3:
		remote = "172.16.0.1"
	case 4:
		remote = "192.168.0.1"
	case 5:
		remote = fmt.Sprintf("192.168.1.%d", c.rng.IntN(61))
	}
	if c.rng.IntN(3) == 0 || c.in.Net.Backend.Type == HostGW {
		backend = HostGW
	}
	l := lease.Lease{
		Subnets: []netip.Prefix{
			netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(number), 0}), bits[0]).Masked(),
			netip.PrefixFrom(netip.MustParseAddr(fmt.Sprintf("fd00:0:0:%x::", number)), bits[1]).Masked(),
		},
		Attrs: lease.Attrs{
			Backend: backend,
			Public:  []netip.Addr{netip.MustParseAddr(remote), netip.MustParseAddr(fmt.Sprintf("fe00::%d", number+1))},
		},
	}
	if backend == VXLAN {
		l.Data = lease.Data{}
		for _, f := range netconf.Families {
			l.Data[f] = vxlan.Data{VNI: 1, MAC: netstate.MAC{2, 0, 0, 0, byte(f), byte(mac)}}.Marshal()
		}
	}
	return l
}
