package plan

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/vxlan"
)

// crowd is a vxlan network of n peers.
func crowd(b testing.TB, n int) Input {
	net, err := netconf.Parse([]byte(`{"Network":"10.0.0.0/8"}`))
	if err != nil {
		b.Fatal(err)
	}
	in := Input{Net: net, Host: host.Facts{Uplink: host.Uplink{
		Name: "eth0", MTU: 1500,
		Addrs:  []netip.Addr{netip.MustParseAddr("192.168.0.1")},
		OnLink: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/24")},
	}}}
	var peers []lease.Lease
	for i := range n + 1 {
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
		mac := vxlan.DeriveMAC(subnet.String(), netconf.V4, 1)
		l := lease.Lease{Subnets: []netip.Prefix{subnet}, Attrs: lease.Attrs{
			Backend: VXLAN,
			Public:  []netip.Addr{netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)}).Next()},
			Data:    lease.Data{V4: vxlan.Data{VNI: 1, MAC: mac}.Marshal()},
		}}
		if i == 0 {
			in.Self = l
		} else {
			peers = append(peers, l)
		}
	}
	in.Peers = lease.SetOf(peers...)
	return in
}

func withoutFirst(peers lease.Set) lease.Set {
	for l := range peers.All() {
		return peers.Without(l)
	}
	return peers
}

// BenchmarkUpdate is what the agent computes when one lease appears among n and
// it planned the others before.
func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{100, 1000, 10000, 30000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := crowd(b, n)
			before := in
			before.Peers = withoutFirst(in.Peers)
			var last Planner
			last.Update(in)
			have, _ := last.Update(before)
			b.ReportAllocs()
			for b.Loop() {
				want, problems := last.Update(in)
				last.Update(before)
				if ops := netstate.Diff(have, want); len(ops) != 4 || len(problems) != 0 {
					b.Fatal(ops, problems)
				}
			}
		})
	}
}

// BenchmarkOneNewPeer is what the agent computes when one lease appears among
// n: the whole plan and its difference to the last one, with no memory.
func BenchmarkOneNewPeer(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := crowd(b, n)
			before := in
			before.Peers = withoutFirst(in.Peers)
			have, _ := Build(before)
			b.ReportAllocs()
			for b.Loop() {
				want, problems := Build(in)
				if ops := netstate.Diff(have, want); len(ops) != 4 || len(problems) != 0 {
					b.Fatal(ops, problems)
				}
			}
		})
	}
}
