package lease_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/weft-net/weft/internal/lease"
)

// rivals is what Index.Rivals answers, by comparing with every lease.
func rivals(all lease.Set, l lease.Lease) [][]netip.Prefix {
	var out [][]netip.Prefix
	for o := range all.All() {
		claims := slices.ContainsFunc(o.Subnets, func(p netip.Prefix) bool { return slices.ContainsFunc(l.Subnets, p.Overlaps) })
		announces := slices.ContainsFunc(o.Public, func(a netip.Addr) bool { return slices.Contains(l.Public, a) })
		if o.Compare(l) != 0 && (claims || announces) {
			out = append(out, o.Subnets)
		}
	}
	return out
}

func TestIndexFindsWhatAWalkFinds(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		random := func() lease.Lease {
			l := lease.Lease{Subnets: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 5, byte(r.IntN(16)), 0}), 16+r.IntN(9)).Masked()}}
			if r.IntN(2) == 0 {
				v6 := netip.MustParseAddr(fmt.Sprintf("fc00:0:0:%x::", r.IntN(8)))
				l.Subnets = append(l.Subnets, netip.PrefixFrom(v6, 60+r.IntN(5)).Masked())
			}
			l.Public = []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(12))})}
			return l
		}
		var all lease.Set
		var x lease.Index
		for range 200 {
			l := random()
			old, ok := all.Find(l)
			switch stays := r.IntN(3) > 0; {
			case ok && stays:
				all, x = all.With(l), x.Replace(old, l)
			case ok:
				all, x = all.Without(old), x.Without(old)
			case stays:
				all, x = all.With(l), x.With(l)
			}
			probe := random()
			if got, want := x.Rivals(probe), rivals(all, probe); !slices.EqualFunc(got, want, slices.Equal) {
				t.Fatalf("seed %d: rivals of %v: %v, want %v", seed, probe, got, want)
			}
			if got, want := lease.IndexOf(all).Rivals(probe), x.Rivals(probe); !slices.EqualFunc(got, want, slices.Equal) {
				t.Fatalf("seed %d: an index made anew finds %v, the changed one %v", seed, got, want)
			}
		}
	}
}
