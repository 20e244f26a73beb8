// Package explaintest has a host on which nothing is wrong, for tests that break something
// of it. It is for tests alone.
package explaintest

import (
	"net/netip"
	"strings"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/explain"
	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netdump"
	"github.com/weft-net/weft/internal/netstate"
)

// PlanText is that of h1, which reaches h2 directly and h3 by the tunnel.
const PlanText = `link    flannel.1 vxlan vni 1 local 192.168.7.21 dev eth0 port 8472 nolearning mtu 1450 mac 02:00:00:00:00:01 up
addr    10.5.1.0/32 dev flannel.1
neigh   10.5.3.0 mac 02:00:00:00:00:03 dev flannel.1
fdb     02:00:00:00:00:03 dst 192.168.8.23 dev flannel.1
route   10.5.2.0/24 via 192.168.7.22 dev eth0
route   10.5.3.0/24 via 10.5.3.0 dev flannel.1 onlink
`

// Encrypted has h1 reach h3 by WireGuard instead.
func Encrypted(f *explain.Facts) {
	own, h3 := strings.Repeat("b3du", 10)+"b3c=", strings.Repeat("bmVh", 10)+"bmU="
	f.Plan = Plan("link    flannel-wg wireguard port 51820 key " + own + " mtu 1420 up\n" +
		"peer    " + h3 + " dev flannel-wg endpoint 192.168.8.23:51820\nallowed 10.5.3.0/24 peer " + h3 + " dev flannel-wg\n" +
		"route   10.5.2.0/24 via 192.168.7.22 dev eth0\nroute   10.5.3.0/24 dev flannel-wg\n")
	k := &f.Kernel
	k.Links[3] = netdump.Link{Index: 4, Name: "flannel-wg", Kind: "wireguard", MTU: 1420, Up: true, Carrier: true, NoARP: true}
	for i, r := range k.Routes {
		if r.Dst.String() == "10.5.3.0/24" {
			k.Routes[i] = Route("10.5.3.0/24", "", "flannel-wg", 119)
		}
	}
	k.At = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	k.Params["net/ipv4/conf/flannel-wg/forwarding"] = "1"
	k.Ciphers = []netdump.WireGuard{{Dev: "flannel-wg", Port: 51820, Key: own, Peers: []netdump.WireGuardPeer{{
		Key: h3, Endpoint: netip.MustParseAddrPort("192.168.8.23:51820"), Allowed: []netip.Prefix{netip.MustParsePrefix("10.5.3.0/24")},
		Handshake: k.At.Add(-12 * time.Second), Sent: 480, Received: 480,
	}}}}
	f.Status.Uplink.Addrs = []netip.Addr{netip.MustParseAddr("192.168.7.21")}
	f.Status.Peers[1].Backend = "wireguard"
	f.Status.Peers[1].Paths = []api.Path{{Subnet: netip.MustParsePrefix("10.5.3.0/24"), Kind: "wireguard", Reach: api.Reach{State: api.ReachPasses, RTT: time.Millisecond}}}
}

// Plan reads a plan.
func Plan(text string) *netstate.State {
	s, err := netstate.Parse(strings.NewReader(text))
	if err != nil {
		panic(err)
	}
	return s
}

// Facts are those of a host on which nothing is wrong. Tests change them, so that they are
// made anew for each.
func Facts() explain.Facts {
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	k := netdump.Host{
		Links: []netdump.Link{
			{Index: 1, Name: "lo", Kind: "device", MTU: 65536, Up: true, Carrier: true, Loopback: true},
			{Index: 2, Name: "eth0", Kind: "device", MTU: 1500, MAC: "02:00:00:00:07:21", Up: true, Carrier: true},
			{Index: 3, Name: "cni0", Kind: "bridge", MTU: 1450, MAC: "02:00:00:00:01:01", Up: true, Carrier: true},
			{Index: 4, Name: "flannel.1", Kind: "vxlan", MTU: 1450, MAC: "02:00:00:00:00:01", Up: true, Carrier: true, Lower: "eth0", VNI: 1, Local: addr("192.168.7.21"), Port: 8472},
		},
		Addrs: []netdump.Addr{
			{Prefix: prefix("192.168.7.21/24"), Dev: "eth0"}, {Prefix: prefix("10.5.1.1/24"), Dev: "cni0"}, {Prefix: prefix("10.5.1.0/32"), Dev: "flannel.1"},
		},
		Routes: []netdump.Route{
			Route("0.0.0.0/0", "192.168.7.1", "eth0", 3), Route("192.168.7.0/24", "", "eth0", 2), Route("10.5.1.0/24", "", "cni0", 2),
			Route("10.5.2.0/24", "192.168.7.22", "eth0", 119), Route("10.5.3.0/24", "10.5.3.0", "flannel.1", 119),
			{Kind: netdump.Local, Dst: prefix("192.168.7.21/32"), Hops: []netdump.Hop{{Dev: "eth0"}}, Table: host.LocalTable, Proto: 2},
		},
		Neighs: []netdump.Neigh{
			{Addr: addr("10.5.1.2"), MAC: "02:00:00:00:01:02", Dev: "cni0", State: "reachable"},
			{Addr: addr("10.5.3.0"), MAC: "02:00:00:00:00:03", Dev: "flannel.1", State: "permanent"},
			{Addr: addr("192.168.7.1"), MAC: "02:00:00:00:07:01", Dev: "eth0", State: "stale"},
			{Addr: addr("192.168.7.22"), MAC: "02:00:00:00:07:22", Dev: "eth0", State: "reachable"},
		},
		FDB:    []netdump.FDB{{MAC: "02:00:00:00:00:03", Dst: addr("192.168.8.23"), Dev: "flannel.1"}},
		Params: map[string]string{"net/ipv4/ip_forward": "1"},
	}
	for i, table := range []uint32{host.LocalTable, host.MainTable, host.DefaultTable} {
		k.Rules = append(k.Rules, host.PolicyRule{Family: netconf.V4, Priority: []uint32{0, 32766, 32767}[i], Table: table, Suppress: -1})
	}
	for _, dev := range []string{"eth0", "cni0", "flannel.1"} {
		k.Params["net/ipv4/conf/"+dev+"/forwarding"] = "1"
	}
	return explain.Facts{Kernel: k, Agent: true, Plan: Plan(PlanText), Status: api.Status{
		Hostname: "h1", Network: []netip.Prefix{prefix("10.5.0.0/16")}, Uplink: api.Uplink{Name: "eth0"},
		Lease: api.Lease{Subnets: []netip.Prefix{prefix("10.5.1.0/24")}, Public: []netip.Addr{addr("192.168.7.21")}},
		Peers: []api.Peer{
			{Name: "h2", Subnets: []netip.Prefix{prefix("10.5.2.0/24")}, Public: []netip.Addr{addr("192.168.7.22")}, Backend: "vxlan"},
			{Name: "h3", Subnets: []netip.Prefix{prefix("10.5.3.0/24")}, Public: []netip.Addr{addr("192.168.8.23")}, Backend: "vxlan"},
		},
	}}
}

// Route is a route of the main table.
func Route(dst, via, dev string, proto uint8) netdump.Route {
	hop := netdump.Hop{Dev: dev}
	if via != "" {
		hop.Via = netip.MustParseAddr(via)
	}
	return netdump.Route{Kind: netdump.Unicast, Dst: netip.MustParsePrefix(dst), Hops: []netdump.Hop{hop}, Table: host.MainTable, Proto: proto}
}
