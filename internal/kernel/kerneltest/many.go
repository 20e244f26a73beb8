package kerneltest

import (
	"net/netip"
	"testing"

	"github.com/weft-net/weft/internal/netstate"
)

// Peers returns the rows for n peers, at most 65536, reached through the
// vxlan device dev: neighbour, forwarding entry and route each.
func Peers(n int, dev string) *netstate.State {
	s := &netstate.Builder{
		Neighs: make([]netstate.Neigh, 0, n),
		FDB:    make([]netstate.FDB, 0, n),
		Routes: make([]netstate.Route, 0, n),
	}
	for i := range n {
		hi, lo := byte(i>>8), byte(i)
		subnet := netip.AddrFrom4([4]byte{10, 128 | hi>>4, hi<<4 | lo>>4, lo << 4})
		mac := netstate.MAC{0x0a, 1, 0, 0, hi, lo}
		s.Neighs = append(s.Neighs, netstate.Neigh{Addr: subnet, MAC: mac, Dev: dev})
		s.FDB = append(s.FDB, netstate.FDB{MAC: mac, Dst: netip.AddrFrom4([4]byte{10, 4, hi, lo}), Dev: dev})
		s.Routes = append(s.Routes, netstate.Route{Dst: netip.PrefixFrom(subnet, 28), Via: subnet, Dev: dev, OnLink: true})
	}
	state, _ := s.State() // cannot contradict: every peer has its own addresses
	return state
}

// PeersNetwork holds the subnets of Peers.
var PeersNetwork = netip.MustParsePrefix("10.128.0.0/12")

func testMany(t *testing.T, h Host) {
	want := Peers(10_000, "flannel.1")
	if err := want.Merge(state(t, "addr 10.143.255.0/32 dev flannel.1\n"+links)); err != nil {
		t.Fatal(err)
	}
	s := netstate.ScopeOf([]netip.Prefix{PeersNetwork}, want)
	settle(t, h.Kernel, s, want)
	settle(t, h.Kernel, s, &netstate.State{})
}
