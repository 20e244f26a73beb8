package netstate

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = `link    flannel.1 vxlan vni 1 local 10.4.7.21 dev eth0 port 8472 nolearning mtu 1450 mac 0a:4f:76:eb:12:f5 up
sysctl  net/ipv6/conf/eth0/accept_ra 2 unless 0
sysctl  net/ipv4/ip_forward 1
addr    172.7.21.0/32 dev flannel.1
neigh   172.7.24.0 mac 32:11:d5:cd:3b:c9 dev flannel.1
fdb     32:11:d5:cd:3b:c9 dst 10.4.8.24 dev flannel.1
route   172.7.22.0/24 via 10.4.7.22 dev eth0
route   172.7.24.0/24 via 172.7.24.0 dev flannel.1 onlink
route   172.7.25.0/24 dev eth1 proto 3
fastpath weft mode all dev eth0 vni 1 local 10.4.7.21 port 8472 mac 0a:4f:76:eb:12:f5 code 3f2a91bc
fastpath weft.7 mode established dev eth0 code 3f2a91bc
fastremote weft 172.7.22.0/24 host 10.4.7.22 mtu 1500
fastremote weft 172.7.24.0/24 host 10.4.8.24 mac 32:11:d5:cd:3b:c9 mtu 1450
fastpod weft 172.7.21.7 dev weft3x mac 02:00:00:00:00:01 via 02:00:00:00:00:02 mtu 1450
fastbridge weft 172.7.21.0/24 dev cni0 mtu 1450
fasthook weft cni0 bridge
fasthook weft eth0 uplink
fasthook weft weft3x pod
` + firewallSample

func parse(t testing.TB, text string) *State {
	t.Helper()
	s, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFormatReadsBack(t *testing.T) {
	if got := parse(t, sample).String(); got != sample {
		t.Errorf("text came back otherwise:\n%s", cmp.Diff(sample, got))
	}
}

func TestParseNamesTheLine(t *testing.T) {
	for _, text := range []string{
		"route", "route 10.0.0.1/24", "neigh 10.0.0.1 mac zz dev x", "bridge br0",
		"link flannel.1 vxlan vni 16777216 port 1 nolearning mtu 1 mac 0a:4f:76:eb:12:f5 up",
		"rule weft guard 0 ip saddr fd00::/64 accept", "rule weft guard 0 ip daddr 10.0.0.0/8", "rule weft guard x accept",
		"rule weft guard 0 ip saddr 10.0.0.0/8 snat ip6 to ip6 saddr", "set weft s ipv4_addr", "element weft s 10.0.0.1/8",
		"chain weft c type nat hook input priority x policy accept", "chain weft c type nat hook input priority 0 policy reject",
		"hook nft ip filter FORWARD middle accept", "leftover nft", "table",
		"addr 10.0.0.1/32 dev x y", "fdb 0a:4f:76:eb:12:f5 to 1.2.3.4 dev x",
	} {
		_, err := Parse(strings.NewReader("# comment\n\n" + text))
		if err == nil || !strings.Contains(err.Error(), "line 3") {
			t.Errorf("%q: error %v does not name line 3", text, err)
		}
	}
}

func TestBuilderNamesContradictingRows(t *testing.T) {
	_, err := Parse(strings.NewReader("neigh 10.0.0.1 mac 0a:00:00:00:00:01 dev x\nneigh 10.0.0.1 mac 0a:00:00:00:00:02 dev x\n"))
	if err == nil || !strings.Contains(err.Error(), "0a:00:00:00:00:01") || !strings.Contains(err.Error(), "0a:00:00:00:00:02") {
		t.Errorf("error %v does not name both rows", err)
	}
}

func TestDiffOrder(t *testing.T) {
	want := parse(t, sample)
	got := lines(Diff(&State{}, want))
	kinds := ""
	for _, l := range got {
		kinds += l[:3]
	}
	if kinds != "+ t+ s+ s+ e+ e+ c+ c+ r+ r+ r+ r+ r+ h+ h+ l+ s+ s+ a+ n+ f+ r+ r+ r+ f+ f+ f+ f+ f+ f+ f+ f+ f" {
		t.Errorf("order of additions: %q", got)
	}
	for i, l := range lines(Diff(want, &State{})) {
		if strings.HasPrefix(l, "- sysctl") || strings.Contains(l, "172.7.25.0") {
			t.Errorf("operation %d removes what stays: %s", i, l)
		}
	}
}

func TestDiffMendsInPlaceOrRemakes(t *testing.T) {
	have := parse(t, sample)
	for _, tc := range []struct {
		name, old, new string
		first          string
		remade         bool
	}{
		{"mtu", "mtu 1450", "mtu 1400", "~ link", false},
		{"mac", "mac 0a:4f:76:eb:12:f5 up", "mac 0a:4f:76:eb:12:f6 up", "~ link", false},
		{"down", " up\n", " down\n", "~ link", false},
		{"port", "port 8472", "port 4789", "- link", true},
		{"gbp", "nolearning", "nolearning gbp", "- link", true},
		{"local", "local 10.4.7.21", "local 10.4.7.22", "- link", true},
	} {
		want := parse(t, strings.Replace(sample, tc.old, tc.new, 1))
		got := lines(Diff(have, want))
		if !strings.HasPrefix(got[0], tc.first) {
			t.Errorf("%s: first operation %q", tc.name, got[0])
		}
		if again := slices.ContainsFunc(got, func(l string) bool { return strings.HasPrefix(l, "+ neigh") }); again != tc.remade {
			t.Errorf("%s: neighbours set again: %v, want %v\n%s", tc.name, again, tc.remade, strings.Join(got, "\n"))
		}
	}
}

func TestForeignRoutesAreReplacedButNeverRemoved(t *testing.T) {
	have := parse(t, "route 172.7.22.0/24 via 10.4.7.99 dev eth0 proto 3\nroute 172.7.23.0/24 via 10.4.7.99 dev eth0 proto 3\n")
	want := parse(t, "route 172.7.22.0/24 via 10.4.7.22 dev eth0\n")
	got := lines(Diff(have, want))
	if !slices.Equal(got, []string{"~ route 172.7.22.0/24 via 10.4.7.22 dev eth0"}) {
		t.Errorf("got %q", got)
	}
	if after := Observed(have).Settle(want).String(); !strings.Contains(after, "172.7.23.0/24 via 10.4.7.99 dev eth0 proto 3") {
		t.Errorf("the hook route is forgotten:\n%s", after)
	}
}

// TestWhatFlanneldLeftOnOurDeviceGoes tells its routes from those that
// somebody else put there under a protocol of his own.
func TestWhatFlanneldLeftOnOurDeviceGoes(t *testing.T) {
	const device = "link flannel.1 vxlan vni 1 port 8472 nolearning mtu 1450 mac 0a:4f:76:eb:12:f5 up\n"
	have := parse(t, device+`route 172.7.22.0/24 via 172.7.22.0 dev flannel.1 onlink proto 3
		route 172.7.23.0/24 via 172.7.23.0 dev flannel.1 onlink proto 3
		route 172.7.24.0/24 via 172.7.24.0 dev flannel.1 onlink proto 4
		route 172.7.25.0/24 via 10.4.7.25 dev eth0 proto 3`)
	want := parse(t, device+"route 172.7.22.0/24 via 172.7.22.0 dev flannel.1 onlink")
	got := lines(Diff(have, want))
	if !slices.Equal(got, []string{
		"~ route 172.7.22.0/24 via 172.7.22.0 dev flannel.1 onlink",
		"- route 172.7.23.0/24 via 172.7.23.0 dev flannel.1 onlink proto 3",
	}) {
		t.Errorf("got %q", got)
	}
	if after := Observed(have).Settle(want); after.Routes.Len() != 3 {
		t.Errorf("afterwards:\n%s", after)
	}
}

func TestOvertakenFindsMoreSpecificRoutes(t *testing.T) {
	want := parse(t, `route 172.7.22.0/24 via 10.4.7.22 dev eth0
		route 172.7.24.0/24 via 10.4.7.24 dev eth0
		route fd17::/64 via fd04::22 dev eth0`)
	have := parse(t, `route 172.7.0.0/16 dev flannel-wg proto 3
		route 172.7.22.0/24 via 10.4.7.22 dev eth0
		route 172.7.22.0/25 via 10.4.7.99 dev eth0 proto 3
		route 172.7.23.0/25 via 10.4.7.99 dev eth0 proto 3
		route 172.7.24.0/24 via 10.4.7.99 dev eth0 proto 4
		route 172.7.24.128/32 via 10.4.7.99 dev eth0 proto 4
		route fd17::7/128 via fd04::99 dev eth0 proto 4`)
	var got []string
	for _, r := range Observed(have).Overtaken(want) {
		got = append(got, r.Dst.String())
	}
	if !slices.Equal(got, []string{"172.7.22.0/25", "172.7.24.128/32", "fd17::7/128"}) {
		t.Errorf("got %q", got)
	}
}

func TestNewsIgnoresEchoes(t *testing.T) {
	s := parse(t, sample)
	route := s.Routes.Slice()[0]
	moved := route
	moved.Via = netip.MustParseAddr("10.4.7.99")
	for _, tc := range []struct {
		name string
		e    Event
		want bool
	}{
		{"echo", Event{Row: route}, false},
		{"gone", Event{Row: route, Gone: true}, true},
		{"changed", Event{Row: moved}, true},
		{"unknown and gone", Event{Row: Route{Dst: netip.MustParsePrefix("9.9.9.0/24")}, Gone: true}, false},
		{"unknown", Event{Row: Route{Dst: netip.MustParsePrefix("9.9.9.0/24")}}, true},
		{"look again", Event{}, true},
	} {
		if got := s.News(tc.e); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

// TestDiffProperties draws pairs of states and checks what Diff promises.
func TestDiffProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		have, want := randomState(rng), randomState(rng)
		want.Firewall.Leftovers = Table[Leftover]{} // nobody wants them
		if ops := Diff(have, have); len(ops) != 0 {
			t.Fatalf("Diff(x, x) = %q for\n%s", lines(ops), have)
		}
		ops := Diff(have, want)
		got := have.Clone()
		for _, o := range ops {
			got.Apply(o)
		}
		if with := Observed(have).With(ops); with.String() != got.String() || with.stay(want) != Observed(got).stay(want) {
			t.Fatalf("With gives\n%s, not\n%s; kept\n%s", with, got, with.kept)
		}
		if settled := Observed(have).Settle(want); got.String() != settled.String() {
			t.Fatalf("applying\n%q\nto\n%s gives\n%s, not\n%s", lines(ops), have, got, settled)
		}
		if rest := Diff(got, want); len(rest) != 0 {
			t.Fatalf("a second Diff has still %q", lines(rest))
		}
		for _, r := range have.Rows() {
			if id := Identity(r); have.Find(id) != r || Identity(id) != id {
				t.Fatalf("%q is not found by its identity %q", r, id)
			}
		}
		if text := have.String(); parse(t, text).String() != text {
			t.Fatalf("text does not read back:\n%s", text)
		}
	}
}

// stay renders the routes that stay although want does not have them.
func (a Actual) stay(want *State) string {
	return (&State{Routes: filter(a.kept.Routes, want.Routes.Has)}).String()
}

func randomState(rng *rand.Rand) *State {
	s := &Builder{}
	addr := func() netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(rng.IntN(3)), byte(rng.IntN(4))}) }
	mac := func() MAC { return MAC{2, 0, 0, 0, 0, byte(rng.IntN(4))} }
	devs := []string{"eth0"} // not ours; rows on our devices come with the device
	dev := func() string { return devs[rng.IntN(len(devs))] }
	for i := range rng.IntN(3) {
		devs = append(devs, fmt.Sprint("flannel.", i+rng.IntN(2)))
		s.Links = append(s.Links, Link{
			Name: devs[len(devs)-1], Kind: KindVXLAN, VNI: uint32(rng.IntN(2)), Port: 8472,
			MTU: 1400 + rng.IntN(2), MAC: mac(), Up: rng.IntN(2) == 0,
		})
	}
	key := func() WGKey { return WGKey{1, byte(rng.IntN(3))} }
	if rng.IntN(2) == 0 {
		devs = append(devs, "flannel-wg")
		s.Links = append(s.Links, Link{
			Name: "flannel-wg", Kind: KindWireGuard, Port: uint16(51820 + rng.IntN(2)), Key: key(), MTU: 1400 + rng.IntN(2), Up: rng.IntN(2) == 0,
		})
	}
	for range rng.IntN(6) {
		s.Peers = append(s.Peers, Peer{Key: key(), Dev: dev(), Endpoint: netip.AddrPortFrom(addr(), 51820), Keepalive: uint16(rng.IntN(2)), PSK: []string{"", "0a1b2c3d"}[rng.IntN(2)]})
		last := s.Peers[len(s.Peers)-1] // what is allowed to nobody there is not a state that anything has
		s.Allowed = append(s.Allowed, Allowed{Prefix: netip.PrefixFrom(addr(), 32), Key: last.Key, Dev: last.Dev})
		s.Addrs = append(s.Addrs, Addr{Prefix: netip.PrefixFrom(addr(), 32), Dev: dev()})
		s.Neighs = append(s.Neighs, Neigh{Addr: addr(), MAC: mac(), Dev: dev()})
		s.FDB = append(s.FDB, FDB{MAC: mac(), Dst: addr(), Dev: dev()})
		s.Routes = append(s.Routes, Route{Dst: netip.PrefixFrom(addr(), 32), Via: addr(), Dev: dev(), Proto: uint8(rng.IntN(2) * 3), Metric: uint32(rng.IntN(2) * 7)})
		s.Offloads = append(s.Offloads, Offload{Dev: dev()})
		if rng.IntN(3) == 0 {
			s.Routes = append(s.Routes, Route{Dst: netip.PrefixFrom(addr(), 32), Reject: []string{Unreachable, Blackhole}[rng.IntN(2)]})
		}
		s.Sysctls = append(s.Sysctls, Sysctl{Name: "net/ipv6/conf/" + dev() + "/accept_ra", Value: "0"})
	}
	s.Links, s.Peers, s.Allowed = unique(s.Links), unique(s.Peers), unique(s.Allowed)
	s.Firewall = randomFirewall(rng)
	s.Addrs, s.Neighs, s.FDB, s.Routes, s.Sysctls = unique(s.Addrs), unique(s.Neighs), unique(s.FDB), unique(s.Routes), unique(s.Sysctls)
	s.Offloads = unique(s.Offloads)
	state, err := s.State()
	if err != nil {
		panic(err)
	}
	return state
}

func unique[R row[R]](t []R) []R {
	slices.SortFunc(t, R.Compare)
	return slices.CompactFunc(t, func(a, b R) bool { return a.Compare(b) == 0 })
}

func lines(ops []Op) []string {
	out := make([]string, len(ops))
	for i, o := range ops {
		out[i] = o.String()
	}
	return out
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		once := s.String()
		again, err := Parse(strings.NewReader(once))
		if err != nil {
			t.Fatalf("%q read as\n%s which does not read back: %v", text, once, err)
		}
		if again.String() != once {
			t.Fatalf("%q: %q became %q", text, once, again.String())
		}
	})
}
