package plan

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/plan/firewall"
	"github.com/weft-net/weft/internal/plan/vxlan"
	"github.com/weft-net/weft/internal/plan/wireguard"
)

// TestUpdatePlansAsBuildDoes lets peers come, go and change at random, many of
// them at odds with others or with the network, and compares every plan with
// one that knows of no other.
func TestUpdatePlansAsBuildDoes(t *testing.T) {
	backends := []string{
		`{"Type":"vxlan"}`, `{"Type":"vxlan","DirectRouting":true}`, `{"Type":"host-gw"}`,
		`{"Type":"wireguard"}`, `{"Type":"wireguard","Mode":"auto","PersistentKeepaliveInterval":25}`,
	}
	for _, backend := range backends {
		for stack, fams := range stacks {
			t.Run(backend+stack, func(t *testing.T) {
				tr := newTrace(t, backend, fams)
				fast := strings.Contains(backend, "DirectRouting")
				if fast {
					tr.in.Host.Uplink.Unreached, tr.in.Host.FastPath = nil, host.FastPath{Asked: true, Code: "c"}
				}
				var p Planner
				updated := 0
				for step := range 1000 {
					tr.step()
					if fast && step%10 == 0 {
						tr.in.Host.FastPath.Pods = []host.Pod{{Addr: tr.in.Self.Subnets[0].Addr().Next(), Dev: "weft1", MTU: 1000 + step}}
					}
					before := p.basis
					state, problems := p.Update(tr.in)
					if before != nil && p.basis == before {
						updated++
					}
					if got, want := render(state, problems), render(Build(tr.in)); got != want {
						t.Fatalf("step %d:\n%s", step, cmp.Diff(want, got))
					}
				}
				if updated < 850 {
					t.Errorf("only %d of 1000 plans were made from the one before", updated)
				}
			})
		}
	}
}

// trace is a network whose peers come and go.
type trace struct {
	rng  *rand.Rand
	in   Input
	fams []netconf.Family
}

func newTrace(t *testing.T, backend string, fams []netconf.Family) *trace {
	doc := fmt.Sprintf(`{"EnableIPv4":%t,"EnableIPv6":%t,"Network":"10.0.0.0/8","IPv6Network":"fd00::/16","Backend":%s}`,
		slices.Contains(fams, netconf.V4), slices.Contains(fams, netconf.V6), backend)
	net, err := netconf.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	tr := &trace{rng: rand.New(rand.NewPCG(3, 1)), fams: fams, in: Input{Net: net, Host: host.Facts{Uplink: host.Uplink{
		Name: "eth0", MTU: 1500,
		Addrs:     []netip.Addr{netip.MustParseAddr("192.168.0.1"), netip.MustParseAddr("fe00::1")},
		OnLink:    []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("fe00::/64")},
		Unreached: []host.Unreached{{Dst: netip.MustParsePrefix("0.0.0.0/2")}, {Dst: netip.MustParsePrefix("fe00:0:0:1::/64")}},
	}, Params: host.Params{host.NeighLimit(netconf.V4): "30", host.NeighLimit(netconf.V6): "60"}}}}
	tr.in.Self = tr.good(0)
	tr.in.Self.Backend = net.Backend.Type
	if net.Backend.Type == WireGuard {
		tr.in.Self.Data = tr.attrs("192.168.1.1", 0, 200, WireGuard, 1).Data
	}
	return tr
}

// step changes some peers: mostly one, sometimes many, sometimes what all
// depend on.
func (tr *trace) step() {
	n := 1
	switch tr.rng.IntN(40) {
	case 0:
		n = tr.rng.IntN(60)
	case 1:
		n = 200
	case 2:
		tr.elsewhere()
	}
	for range n {
		tr.in.Peers = tr.peer(tr.in.Peers)
	}
	if tr.rng.IntN(3) == 0 {
		tr.probe()
	}
	if tr.rng.IntN(3) == 0 {
		tr.introduce()
	}
}

// introduce has some hosts say that they have a key, or another one.
func (tr *trace) introduce() {
	for l := range tr.in.Peers.All() {
		if tr.rng.IntN(8) == 0 {
			h := lease.HostOf(l.Subnets)
			h.WireGuard = []string{"", "none", publicKey(tr.number()).String()}[tr.rng.IntN(3)]
			tr.in.Hosts = tr.in.Hosts.With(h)
		}
	}
}

// publicKey is that of the host with a number.
func publicKey(number int) netstate.WGKey { return netstate.WGKey{9, byte(number)} }

// probe has probes show something of the paths to some peers, or of none.
func (tr *trace) probe() {
	for l := range tr.in.Peers.All() {
		if tr.rng.IntN(8) != 0 {
			continue
		}
		p := Proof{Subnets: l.Subnets, Family: tr.fams[tr.rng.IntN(len(tr.fams))], Kind: []Kind{Direct, Tunnelled, Encrypted}[tr.rng.IntN(3)]}
		if tr.rng.IntN(4) == 0 {
			tr.in.Proofs = tr.in.Proofs.Without(p)
			continue
		}
		p.Verdict, p.MTU = Verdict(tr.rng.IntN(3)), []int{0, 0, 1352}[tr.rng.IntN(3)]
		tr.in.Proofs = tr.in.Proofs.With(p)
	}
}

// elsewhere changes something that is no peer's.
func (tr *trace) elsewhere() {
	in := &tr.in
	switch tr.rng.IntN(8) {
	case 0:
		in.Host.Uplink.MTU = 1400 + tr.rng.IntN(100)
	case 1:
		in.Firewall = firewall.Options{Masquerade: tr.rng.IntN(2) == 0, Nodes: tr.rng.IntN(2) == 0}
	case 2:
		in.Host.NoFirewall = []string{"", "no nftables"}[tr.rng.IntN(2)]
	case 3:
		in.Draining = nil
		if tr.rng.IntN(2) == 0 {
			in.Draining = tr.good(7).Subnets
		}
	case 4:
		in.Former = nil
		if tr.rng.IntN(2) == 0 {
			in.Former = append(in.Former, Former{
				Backend: netconf.Backend{Type: WireGuard, WireGuard: netconf.WireGuard{ListenPort: 51820, ListenPortV6: 51821, Mode: netconf.Separate}},
				Attrs:   tr.attrs("192.168.1.1", 0, 200, WireGuard, 1),
			})
		}
		for vni := range uint32(tr.rng.IntN(3)) {
			in.Former = append(in.Former, Former{
				Backend: netconf.Backend{Type: VXLAN, VXLAN: netconf.VXLAN{VNI: 1 + vni, Port: 4789}},
				Attrs:   tr.good(0).Attrs, Sends: tr.rng.IntN(2) == 0, Spare: tr.rng.IntN(2) == 0,
			})
		}
		in.Spare = tr.rng.IntN(2) == 0
	case 5:
		in.Previous = nil
		if tr.rng.IntN(2) == 0 {
			in.Previous = []netconf.Previous{
				{Network: netip.MustParsePrefix("10.0.0.0/8"), SubnetLen: 26},
				{Network: netip.MustParsePrefix("172.7.0.0/16"), SubnetLen: 24},
				{Network: netip.MustParsePrefix("fd00::/16"), SubnetLen: 66},
			}
		}
	case 6:
		in.Self.TTL++ // which concerns nobody
	case 7:
		in.Host.Attached = nil
		for range tr.rng.IntN(4) {
			bits := 22 + tr.rng.IntN(5)
			p4 := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(tr.number()), 0}), bits).Masked()
			p6 := netip.PrefixFrom(netip.MustParseAddr(fmt.Sprintf("fd00:0:0:%x::", tr.number())), 40+bits).Masked()
			local := tr.rng.IntN(2) == 0
			in.Host.Attached = append(in.Host.Attached, host.Attached{Prefix: p4, Dev: "eth1", Local: local}, host.Attached{Prefix: p6, Dev: "eth1", Local: local})
		}
	}
}

// peer changes one lease of peers.
func (tr *trace) peer(peers lease.Set) lease.Set {
	if peers.Len() > 0 {
		some := peers.Slice()[tr.rng.IntN(peers.Len())]
		switch tr.rng.IntN(7) {
		case 0, 1:
			return peers.Without(some)
		case 2: // announces otherwise
			some.Attrs = tr.lease().Attrs
			return peers.With(some)
		case 3: // becomes a reservation, claimed or not
			some.Reserved = !some.Reserved
			if tr.rng.IntN(2) == 0 {
				some.Attrs = lease.Attrs{}
			}
			return peers.With(some)
		case 4: // drains beside the new one
			some.Subnets = tr.subnets(tr.number())
			return peers.With(some)
		}
	}
	if tr.rng.IntN(30) == 0 {
		return peers.With(tr.in.Self) // as a snapshot has it
	}
	return peers.With(tr.lease())
}

func (tr *trace) number() int { return 1 + tr.rng.IntN(60) }

// subnets are those of a host with a number; now and then wider or narrower,
// or in another network.
func (tr *trace) subnets(number int) (out []netip.Prefix) {
	v4, v6 := [4]byte{10, 0, byte(number), 0}, netip.MustParseAddr(fmt.Sprintf("fd00:0:0:%x::", number)).As16()
	bits := map[netconf.Family]int{netconf.V4: 24, netconf.V6: 64}
	less := 0
	switch tr.rng.IntN(12) {
	case 0:
		less = 1
	case 1:
		less = 2 + tr.rng.IntN(4) // wide
	case 2:
		less = 8 // as wide as all, this host's included
	case 3:
		less = -2
	case 4:
		v4[0], v4[1], v6[1] = 172, byte(7+tr.rng.IntN(2)), 1
	}
	for _, f := range tr.fams {
		addr := netip.AddrFrom4(v4)
		if f == netconf.V6 {
			addr = netip.AddrFrom16(v6)
		}
		out = append(out, netip.PrefixFrom(addr, bits[f]-less).Masked())
	}
	if len(out) > 1 && tr.rng.IntN(8) == 0 { // of one family only, or of two hosts
		i := tr.rng.IntN(2)
		if tr.rng.IntN(2) == 0 {
			return out[i : i+1]
		}
		out[i] = tr.good(tr.number()).Subnets[i]
	}
	return out
}

// good makes up a lease that is at odds with nobody's.
func (tr *trace) good(number int) lease.Lease {
	l := lease.Lease{}
	for _, f := range tr.fams {
		if f == netconf.V4 {
			l.Subnets = append(l.Subnets, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(number), 0}), 24))
		} else {
			l.Subnets = append(l.Subnets, netip.MustParsePrefix(fmt.Sprintf("fd00:0:0:%x::/64", number)))
		}
	}
	l.Attrs = tr.attrs(fmt.Sprintf("192.168.1.%d", number), number, number, VXLAN, 1)
	return l
}

func (tr *trace) attrs(public string, public6, mac int, backend string, vni uint32) lease.Attrs {
	a := lease.Attrs{Backend: backend, Data: lease.Data{}}
	for _, f := range tr.fams {
		if f == netconf.V4 {
			a.Public = append(a.Public, netip.MustParseAddr(public))
		} else {
			a.Public = append(a.Public, netip.MustParseAddr(fmt.Sprintf("fe00::%x", public6+1)))
		}
		if backend == WireGuard {
			a.Data = a.Data.With(f, wireguard.Data{Key: publicKey(mac), Port: 51820 + uint16(f)}.Marshal())
		}
		if backend == VXLAN {
			a.Data = a.Data.With(f, vxlan.Data{VNI: vni, MAC: netstate.MAC{2, 0, 0, 0, byte(f), byte(mac)}}.Marshal())
		}
	}
	return a
}

// lease makes up the lease of a host with a number, often a bad one.
func (tr *trace) lease() lease.Lease {
	number := tr.number()
	mac, public6, backend, vni := number, number, VXLAN, uint32(1)
	public := fmt.Sprintf("192.168.1.%d", number)
	l := lease.Lease{Subnets: tr.subnets(number)}
	switch tr.rng.IntN(30) {
	case 0:
		return lease.Lease{Subnets: l.Subnets, Reserved: true}
	case 1, 2, 3:
		mac = tr.rng.IntN(61)
	case 4:
		public = "172.16.0.1"
	case 5:
		public, public6 = "192.168.0.1", 0
	case 6, 7, 8:
		public6 = tr.rng.IntN(61)
		public = fmt.Sprintf("192.168.1.%d", public6)
	case 9:
		backend = "udp"
	case 10, 11:
		vni = 2 + tr.rng.Uint32N(2)
	}
	if tr.rng.IntN(3) == 0 || tr.in.Net.Backend.Type == HostGW {
		backend = HostGW
	}
	if encrypts := tr.in.Net.Backend.Type == WireGuard; tr.rng.IntN(20) == 0 || encrypts && tr.rng.IntN(4) > 0 {
		backend = WireGuard
	}
	l.Attrs = tr.attrs(public, public6, mac, backend, vni)
	switch tr.rng.IntN(30) {
	case 0:
		l.Public = nil
	case 1:
		l.Data = lease.Data{}
	}
	return l
}
