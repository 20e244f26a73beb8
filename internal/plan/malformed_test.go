package plan

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan/vxlan"
)

// TestMalformedLeasesHarmNobodyElse adds malformed leases to a good network, ten
// thousand times: no panic, and no good peer's packets ever go elsewhere.
func TestMalformedLeasesHarmNobodyElse(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, backend := range []string{`{"Type":"vxlan"}`, `{"Type":"vxlan","DirectRouting":true}`, `{"Type":"host-gw"}`} {
		good := validNetwork(t, backend)
		want, problems := Build(good)
		if len(problems) != 0 {
			t.Fatal(problems)
		}
		for range 10000 / 3 {
			in := good
			for range 1 + rng.IntN(4) {
				in.Peers = in.Peers.With(malformed(rng, good))
			}
			got, _ := Build(in)
			for _, row := range want.Rows() {
				if got.Find(row) != row {
					t.Fatalf("%s is gone or otherwise among\n%v\n%s", row, in.Peers.Slice(), got)
				}
			}
			for r := range got.Routes.All() {
				for w := range want.Routes.All() {
					if r != w && w.Dst.Overlaps(r.Dst) {
						t.Fatalf("%s takes packets from %s; leases %v", r, w, in.Peers.Slice())
					}
				}
			}
		}
	}
}

// validNetwork is a valid network of a few hosts, all on one segment.
func validNetwork(t *testing.T, backend string) Input {
	net, err := netconf.Parse([]byte(`{"Network":"172.7.0.0/16","Backend":` + backend + `}`))
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Net: net}
	in.Host.Uplink.Name, in.Host.Uplink.MTU = "eth0", 1500
	in.Host.Uplink.Addrs = []netip.Addr{netip.MustParseAddr("10.4.7.1")}
	in.Host.Uplink.OnLink = []netip.Prefix{netip.MustParsePrefix("10.4.7.0/24")}
	for i := range byte(6) {
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 7, 1 + i, 0}), 24)
		l := lease.Lease{Subnets: []netip.Prefix{subnet}, Attrs: lease.Attrs{
			Backend: net.Backend.Type,
			Public:  []netip.Addr{netip.AddrFrom4([4]byte{10, 4, 7, 1 + i})},
		}}
		if net.Backend.Type == VXLAN {
			l.Data = lease.Data{V4: vxlan.Data{VNI: 1, MAC: vxlan.DeriveMAC(subnet.String(), netconf.V4, 1)}.Marshal()}
		}
		if i == 0 {
			in.Self = l
		} else {
			in.Peers = in.Peers.With(l)
		}
	}
	return in
}

// malformed is a lease made of pieces of good ones and of invalid ones. It has its
// own MAC or a broken one: a stolen one is told from the rightful by order
// only, and is a case of its own.
func malformed(rng *rand.Rand, good Input) lease.Lease {
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	bits := 8 + rng.IntN(25)
	if bits == 24 { // a regular subnet of the network's length: whose it is nobody can tell
		bits = 25
	}
	subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(6 + rng.IntN(3)), byte(rng.IntN(8)), byte(rng.IntN(256))}), bits).Masked()
	l := lease.Lease{Subnets: []netip.Prefix{subnet}}
	l.Backend = pick("vxlan", "host-gw", "udp", "", "VXLAN")
	if rng.IntN(4) > 0 {
		l.Public = []netip.Addr{netip.AddrFrom4([4]byte{10, 4, byte(6 + rng.IntN(3)), byte(rng.IntN(16))})}
	}
	own := vxlan.DeriveMAC(subnet.String()+"malformed", netconf.V4, 1)
	l.Data = lease.Data{V4: json.RawMessage(pick(
		string(vxlan.Data{VNI: 1, MAC: own}.Marshal()),
		string(vxlan.Data{VNI: 2, MAC: own}.Marshal()),
		`{"VNI":1,"VtepMAC":"01:00:5e:00:00:01"}`, `{"VNI":1}`, `[]`, `null`, ``,
		string(good.Self.Data.Of(netconf.V4)),
	))}
	if rng.IntN(8) == 0 {
		l.Subnets = append(l.Subnets, netip.MustParsePrefix("fc00::/64"))
	}
	return l
}
