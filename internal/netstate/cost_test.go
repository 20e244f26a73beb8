package netstate

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/weft-net/weft/internal/owned"
	"github.com/weft-net/weft/internal/sorted"
)

// network returns the state of a host with n peers behind one vxlan device.
func network(t testing.TB, n int) *State {
	t.Helper()
	b := parse(t, firewallSample).Builder()
	b.Firewall.Leftovers = nil
	b.Links = []Link{{Name: "flannel.1", Kind: KindVXLAN, VNI: 1, Port: 8472, MTU: 1450, Up: true}}
	for i := range n {
		subnet := netip.AddrFrom4([4]byte{10, 128 | byte(i>>12), byte(i >> 4), byte(i << 4)})
		mac := MAC{0x0a, 1, 0, byte(i >> 16), byte(i >> 8), byte(i)}
		b.Neighs = append(b.Neighs, Neigh{Addr: subnet, MAC: mac, Dev: "flannel.1"})
		b.FDB = append(b.FDB, FDB{MAC: mac, Dst: netip.AddrFrom4([4]byte{10, 4, byte(i >> 8), byte(i)}), Dev: "flannel.1"})
		b.Routes = append(b.Routes, Route{Dst: netip.PrefixFrom(subnet, 28), Via: subnet, Dev: "flannel.1", OnLink: true})
	}
	s, err := b.State()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// movePeer returns s with peer i at another address, as round says.
func movePeer(s *State, i, round int) *State {
	next := s.Clone()
	subnet := netip.AddrFrom4([4]byte{10, 128 | byte(i>>12), byte(i >> 4), byte(i << 4)})
	mac := MAC{0x0a, 2, 0, 0, byte(round >> 8), byte(round)}
	next.Put(Neigh{Addr: subnet, MAC: mac, Dev: "flannel.1"})
	next.Put(FDB{MAC: mac, Dst: netip.AddrFrom4([4]byte{10, 5, byte(round >> 8), byte(round)}), Dev: "flannel.1"})
	return next
}

// visited counts the rows that a difference has to look at: those in blocks
// that the two states do not share.
func visited(a, b *State) (n int) {
	n += visitedIn(a.Links, b.Links) + visitedIn(a.Offloads, b.Offloads) + visitedIn(a.Sysctls, b.Sysctls) + visitedIn(a.Addrs, b.Addrs)
	n += visitedIn(a.Neighs, b.Neighs) + visitedIn(a.FDB, b.FDB) + visitedIn(a.Routes, b.Routes)
	return n + visitedIn(a.Firewall.Elements, b.Firewall.Elements) + visitedIn(a.Firewall.Rules, b.Firewall.Rules)
}

func visitedIn[R row[R]](a, b Table[R]) (n int) {
	for range sorted.Diff(a, b) {
		n++
	}
	return n
}

// What is known of the kernel shares its rows with what was wanted last, so
// that a changed peer costs the same however many others there are: after a
// pass that went through, after one in which an object failed, and beside
// foreign routes.
func TestOneChangedPeerCostsTheSameInAnyNetwork(t *testing.T) {
	for _, n := range []int{100, 10_000} {
		want := network(t, n)
		found := want.Builder() // read from the kernel: shares nothing
		for i := range 50 {     // pods of this host, say
			found.Routes = append(found.Routes, Route{Dst: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 200, 0, byte(i)}), 32), Dev: "eth0", Proto: owned.PodProtocol})
		}
		observed, err := found.State()
		if err != nil {
			t.Fatal(err)
		}
		have := Observed(observed).Settle(want)
		for round := range 20 {
			next := movePeer(want, n/2, round)
			if v := visited(have.State, next); v > 1500 {
				t.Fatalf("%d peers, round %d: one change makes Diff look at %d rows", n, round, v)
			}
			ops := Diff(have.State, next)
			if len(ops) == 0 || len(ops) > 4 {
				t.Fatalf("ops %q", lines(ops))
			}
			if round%2 == 0 {
				have = have.Settle(next)
			} else {
				have = have.With(ops[:len(ops)-1]) // the last one failed
			}
			if have.Foreign() != 50 || have.Routes.Len() != n+50 {
				t.Fatalf("%d foreign routes of %d", have.Foreign(), have.Routes.Len())
			}
			want = next
		}
	}
}

func BenchmarkOneChange(b *testing.B) {
	for _, n := range []int{100, 10_000, 30_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			want := network(b, n)
			have := Observed(want).Settle(want)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				next := movePeer(want, n/2, i)
				if len(Diff(have.State, next)) == 0 {
					b.Fatal("no change")
				}
				have, want = have.Settle(next), next
			}
		})
	}
}
