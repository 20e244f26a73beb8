package netconf

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// cut returns the range of network with subnets of length n, from the second
// to the last.
func cut(t *testing.T, network string, n int) Range {
	t.Helper()
	p := netip.MustParsePrefix(network)
	o := newObject("", []byte("{}"))
	r, ok := rangeKeys{family: FamilyOf(p.Addr()), network: p, subnetLen: n}.check(o)
	if !ok {
		t.Fatalf("%s cut into /%d: %v", network, n, o.errs)
	}
	return r
}

func TestFits(t *testing.T) {
	v4, v6 := cut(t, "10.5.0.0/16", 24), cut(t, "fc00:5::/48", 64)
	v4.Min, v4.Max = netip.MustParseAddr("10.5.10.0"), netip.MustParseAddr("10.5.20.0")
	assigned := Network{Ranges: []Range{v4}}.Assigned().Ranges[0]
	for _, c := range []struct {
		r      Range
		subnet string
		want   string // in the error; "" for none
	}{
		{v4, "10.5.10.0/24", ""},
		{v4, "10.5.20.0/24", ""},
		{v4, "10.5.9.0/24", "below the first subnet given out, 10.5.10.0/24"},
		{v4, "10.5.21.0/24", "above the last subnet given out, 10.5.20.0/24"},
		{v4, "10.6.15.0/24", "outside the network 10.5.0.0/16"},
		{v4, "10.5.15.0/25", "length 25"},
		{v4, "10.5.15.1/24", "10.5.15.0/24 would be"},
		{v4, "fc00:5:0:1::/64", "not of family ipv4"},
		{v4, "::ffff:10.5.15.0/24", "not of family ipv4"},
		{v6, "fc00:5:0:1::/64", ""},
		{v6, "fc00:5:0:ffff::/64", ""},
		{v6, "fc00:5::/64", "below the first"},
		{v6, "fc00:5:1::/64", "outside"},
		{v6, "10.5.15.0/24", "not of family ipv6"},
		{assigned, "10.5.0.0/24", ""},
		{assigned, "10.5.255.128/25", ""},
		{assigned, "10.5.0.0/16", ""},
		{assigned, "10.4.0.0/15", "wider than the network"},
		{assigned, "10.6.0.0/24", "outside the network"},
		{assigned, "10.5.0.1/24", "10.5.0.0/24 would be"},
	} {
		err := c.r.Fits(netip.MustParsePrefix(c.subnet))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Fits(%s) = %v, want %q", c.r.Network, c.subnet, err, c.want)
		}
	}
	if v4.Fits(netip.Prefix{}) == nil {
		t.Error("the zero Prefix fits")
	}
}

func TestRangeIsConsistent(t *testing.T) {
	for _, c := range []struct {
		network string
		n       int
		count   uint64
	}{
		{"10.5.0.0/16", 24, 255},
		{"10.0.0.0/8", 30, 1<<22 - 1},
		{"10.5.0.0/28", 30, 3},
		{"fc00:5::/48", 64, 1<<16 - 1},
		{"fd00::/32", 96, math.MaxUint64}, // 2^64-1, exactly
		{"fd00::/32", 95, 1<<63 - 1},
		{"fc00::/8", 126, math.MaxUint64}, // far more
	} {
		r := cut(t, c.network, c.n)
		if n := r.Count(); n != c.count {
			t.Errorf("%s cut into /%d: Count() = %d, want %d", c.network, c.n, n, c.count)
		}
		checkRange(t, r)
		for range 100 {
			i := rand.Uint64N(r.Count())
			if first, last, ok := r.Cover(r.At(i)); first != i || last != i || !ok {
				t.Errorf("%s: Cover(At(%d)) = %d, %d, %v", c.network, i, first, last, ok)
			}
		}
	}
}

func TestCover(t *testing.T) {
	v4 := cut(t, "10.5.0.0/16", 24) // index 0 is 10.5.1.0/24
	far := cut(t, "fc00::/8", 126)
	for _, c := range []struct {
		r           Range
		p           string
		first, last uint64
		ok          bool
	}{
		{v4, "10.5.1.0/24", 0, 0, true},
		{v4, "10.5.1.200/32", 0, 0, true},
		{v4, "10.5.2.0/23", 1, 2, true},
		{v4, "10.5.0.0/23", 0, 0, true},
		{v4, "10.0.0.0/8", 0, 254, true},
		{v4, "0.0.0.0/0", 0, 254, true},
		{v4, "10.5.0.0/24", 0, 0, false},
		{v4, "10.4.0.0/16", 0, 0, false},
		{v4, "10.6.0.0/16", 0, 0, false},
		{v4, "::/0", 0, 0, false},
		{far, "::/0", 0, math.MaxUint64 - 1, true},
		{far, "fcff::/16", 0, 0, false}, // beyond what is counted
		{far, "10.5.0.0/16", 0, 0, false},
	} {
		first, last, ok := c.r.Cover(netip.MustParsePrefix(c.p))
		if ok != c.ok || ok && (first != c.first || last != c.last) {
			t.Errorf("%s: Cover(%s) = %d, %d, %v; want %d, %d, %v", c.r.Network, c.p, first, last, ok, c.first, c.last, c.ok)
		}
	}
}

func TestSubnet(t *testing.T) {
	r := cut(t, "fc00:5::/48", 64)
	if p := r.Subnet(netip.MustParseAddr("fc00:5:0:7::9")); p.String() != "fc00:5:0:7::/64" {
		t.Errorf("Subnet = %s", p)
	}
	if p := r.Subnet(netip.MustParseAddr("10.5.0.1")); p.IsValid() {
		t.Errorf("Subnet of the other family = %s", p)
	}
}
