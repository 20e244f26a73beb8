package lease

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/netconf"
)

var small = map[string]string{
	"ipv4":       `{"Network": "10.5.0.0/20", "SubnetLen": 26}`,
	"ipv6":       `{"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fc00:5::/58"}`,
	"dual-stack": `{"Network": "10.5.0.0/20", "SubnetLen": 26, "EnableIPv6": true, "IPv6Network": "fc00:5::/58"}`,
	"bounds":     `{"Network": "10.5.0.0/16", "SubnetMin": "10.5.40.0", "SubnetMax": "10.5.60.0"}`,
}

// randomPrefix returns a prefix in or around network, shorter or longer than
// a subnet.
func randomPrefix(rnd *rand.Rand, r netconf.Range) netip.Prefix {
	p := r.At(rnd.Uint64N(r.Count()))
	return netip.PrefixFrom(p.Addr(), min(max(p.Bits()+rnd.IntN(7)-3, r.Network.Bits()), r.Family().Bits()-1)).Masked()
}

// TestClaimantsNeverOverlap lets hosts come one after the other, among
// reservations and with prefixes to avoid, until the network is full, and
// checks every choice and the end against a count of each single subnet.
func TestClaimantsNeverOverlap(t *testing.T) {
	for name, doc := range small {
		for seed := range uint64(20) {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				fill(t, network(t, doc), rand.New(rand.NewPCG(seed, 1)))
			})
		}
	}
}

func fill(t *testing.T, net netconf.Network, rnd *rand.Rand) {
	var all []Lease
	var avoid []netip.Prefix
	owners := map[string]Owner{}
	for range rnd.IntN(4) {
		r := net.Ranges[rnd.IntN(len(net.Ranges))]
		avoid = append(avoid, randomPrefix(rnd, r))
		all = append(all, Lease{Subnets: []netip.Prefix{randomPrefix(rnd, r)}, Reserved: true})
	}
	for i := range 10_000 {
		c := Claim{
			Owner: Owner{ID: fmt.Sprint(i), Hostname: fmt.Sprint("host", i)},
			Attrs: Attrs{Public: []netip.Addr{netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)})}},
			Avoid: avoid,
		}
		if rnd.IntN(3) == 0 {
			c.Preferred = []netip.Prefix{net.Ranges[0].At(rnd.Uint64N(net.Ranges[0].Count()))}
		}
		var used []netip.Prefix
		for _, l := range all {
			if !(l.Reserved && len(l.Public) == 0 && prefers(c, l)) {
				used = append(used, l.Subnets...)
			}
		}
		got, err := Choose(net, all, owners, c, rnd.Uint64())
		if full := isFull(net, slices.Concat(used, avoid)); full != errors.Is(err, ErrExhausted) || err != nil && !full {
			t.Fatalf("after %d leases: full %v, but %v", len(all), full, err)
		}
		if err != nil {
			return
		}
		for j, p := range got.Lease.Subnets {
			if err := net.Ranges[j].Fits(p); err != nil {
				t.Fatalf("claimant %d got %s: %v", i, p, err)
			}
			if k := slices.IndexFunc(slices.Concat(used, avoid), p.Overlaps); k >= 0 {
				t.Fatalf("claimant %d got %s, which overlaps %s", i, p, slices.Concat(used, avoid)[k])
			}
		}
		all = slices.DeleteFunc(all, func(l Lease) bool {
			return same(l, got.Lease) || slices.ContainsFunc(got.Drop, func(d Lease) bool { return same(l, d) })
		})
		all = append(all, got.Lease)
		owners[Key(got.Lease.Subnets)] = c.Owner
	}
	t.Fatal("the network never filled")
}

// isFull looks at every subnet, as the allocator must not.
func isFull(net netconf.Network, used []netip.Prefix) bool {
	for _, r := range net.Ranges {
		free := false
		for i := range r.Count() {
			free = free || !slices.ContainsFunc(used, r.At(i).Overlaps)
		}
		if !free {
			return true
		}
	}
	return false
}

// TestPicksSpreadOut holds that consecutive picks give all free subnets, each
// once: a random pick is then fair.
func TestPicksSpreadOut(t *testing.T) {
	for name, doc := range small {
		r := network(t, doc).Ranges[0]
		rnd := rand.New(rand.NewPCG(7, 7))
		var taken []netip.Prefix
		for range 6 {
			taken = append(taken, randomPrefix(rnd, r))
		}
		var want, got []netip.Prefix
		for i := range r.Count() {
			if p := r.At(i); !slices.ContainsFunc(taken, p.Overlaps) {
				want = append(want, p)
			}
		}
		for pick := range uint64(len(want)) {
			p, ok := pickFree(r, taken, pick+3*uint64(len(want)))
			if !ok {
				t.Fatalf("%s: pick %d found nothing", name, pick)
			}
			got = append(got, p)
		}
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s without %v:\n got %v\nwant %v", name, taken, got, want)
		}
	}
}

// TestHugeNetwork would not end if the allocator walked the subnets.
func TestHugeNetwork(t *testing.T) {
	net := network(t, `{"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fc00::/8", "IPv6SubnetLen": 126}`)
	all := []Lease{{Subnets: prefixes("fc00::/70")}, {Subnets: prefixes("fc80::/9")}}
	for _, pick := range []uint64{0, 1, 1 << 32, 1<<64 - 1} {
		got, err := Choose(net, all, nil, Claim{Owner: me}, pick)
		if err != nil {
			t.Fatal(err)
		}
		p := got.Lease.Subnets[0]
		if net.Ranges[0].Fits(p) != nil || p.Overlaps(all[0].Subnets[0]) || p.Overlaps(all[1].Subnets[0]) {
			t.Errorf("pick %d: %s", pick, p)
		}
	}
	_, err := Choose(net, []Lease{{Subnets: prefixes("fc00::/7")}}, nil, Claim{Owner: me}, 1)
	if !errors.Is(err, ErrExhausted) {
		t.Errorf("with everything taken: %v", err)
	}
	_, err = Choose(net, nil, nil, Claim{Owner: me, Avoid: prefixes("fc00::/6", "10.0.0.0/8")}, 1)
	if !errors.Is(err, ErrExhausted) || !strings.Contains(err.Error(), "those that overlap [fc00::/6] are not leased") {
		t.Errorf("with everything to avoid: %v", err)
	}
}

func BenchmarkChoose(b *testing.B) {
	net := network(b, `{"Network": "10.0.0.0/8"}`)
	r := net.Ranges[0]
	owners := map[string]Owner{}
	var all []Lease
	for i := range uint64(10_000) {
		l := Lease{Subnets: []netip.Prefix{r.At(i * 6)}, Attrs: Attrs{Public: []netip.Addr{netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)})}}}
		all = append(all, l)
		owners[Key(l.Subnets)] = Owner{ID: fmt.Sprint(i)}
	}
	c := Claim{Owner: me, Attrs: Attrs{Public: addrs("172.16.0.1")}, Preferred: prefixes("10.0.1.0/24")}
	for b.Loop() {
		if _, err := Choose(net, all, owners, c, 12345); err != nil {
			b.Fatal(err)
		}
	}
}
