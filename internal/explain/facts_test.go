package explain

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netdump"
	"github.com/weft-net/weft/internal/netstate"
)

// planText is that of h1, which reaches h2 directly and h3 by the tunnel.
const planText = `link    flannel.1 vxlan vni 1 local 192.168.7.21 dev eth0 port 8472 nolearning mtu 1450 mac 02:00:00:00:00:01 up
addr    10.5.1.0/32 dev flannel.1
neigh   10.5.3.0 mac 02:00:00:00:00:03 dev flannel.1
fdb     02:00:00:00:00:03 dst 192.168.8.23 dev flannel.1
route   10.5.2.0/24 via 192.168.7.22 dev eth0
route   10.5.3.0/24 via 10.5.3.0 dev flannel.1 onlink
`

func plan(text string) *netstate.State {
	s, err := netstate.Parse(strings.NewReader(text))
	if err != nil {
		panic(err)
	}
	return s
}

// facts are those of a host on which nothing is wrong. Tests change them, so that they are
// made anew for each.
func facts() Facts {
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
			route("0.0.0.0/0", "192.168.7.1", "eth0", 3), route("192.168.7.0/24", "", "eth0", 2), route("10.5.1.0/24", "", "cni0", 2),
			route("10.5.2.0/24", "192.168.7.22", "eth0", 119), route("10.5.3.0/24", "10.5.3.0", "flannel.1", 119),
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
	return Facts{Kernel: k, Agent: true, Plan: plan(planText), Status: api.Status{
		Hostname: "h1", Network: []netip.Prefix{prefix("10.5.0.0/16")}, Uplink: api.Uplink{Name: "eth0"},
		Lease: api.Lease{Subnets: []netip.Prefix{prefix("10.5.1.0/24")}, Public: []netip.Addr{addr("192.168.7.21")}},
		Peers: []api.Peer{
			{Name: "h2", Subnets: []netip.Prefix{prefix("10.5.2.0/24")}, Public: []netip.Addr{addr("192.168.7.22")}, Backend: "vxlan"},
			{Name: "h3", Subnets: []netip.Prefix{prefix("10.5.3.0/24")}, Public: []netip.Addr{addr("192.168.8.23")}, Backend: "vxlan"},
		},
	}}
}

func route(dst, via, dev string, proto uint8) netdump.Route {
	hop := netdump.Hop{Dev: dev}
	if via != "" {
		hop.Via = netip.MustParseAddr(via)
	}
	return netdump.Route{Kind: netdump.Unicast, Dst: netip.MustParsePrefix(dst), Hops: []netdump.Hop{hop}, Table: host.MainTable, Proto: proto}
}

func dropRoutes(f *Facts, dst string) {
	f.Kernel.Routes = slices.DeleteFunc(f.Kernel.Routes, func(r netdump.Route) bool { return r.Dst.String() == dst })
}

func neigh(f *Facts, addr, dev, state string) {
	f.Kernel.Neighs = append(f.Kernel.Neighs, netdump.Neigh{Addr: netip.MustParseAddr(addr), Dev: dev, State: state})
}

// chain adds a chain: "FAMILY TABLE NAME [HOOK PRIORITY]".
func chain(f *Facts, place string, rules ...netdump.Rule) {
	w := strings.Fields(place)
	c := netdump.Chain{Family: w[0], Table: w[1], Name: w[2], Rules: rules}
	if len(w) > 3 {
		c.Type, c.Hook, c.Policy = "filter", w[3], "accept"
		c.Priority = map[string]int{"-300": -300, "-100": -100, "-10": -10, "0": 0, "1": 1, "99": 99, "100": 100}[w[4]]
	}
	f.Kernel.Firewall.Chains = append(f.Kernel.Firewall.Chains, c)
}

func rule(handle uint64, text string, when host.Match, does netdump.Action) netdump.Rule {
	return netdump.Rule{Handle: handle, Text: text, Branches: []netdump.Branch{{When: when, Does: does}}}
}

func jump(handle uint64, text, chain string) netdump.Rule {
	return netdump.Rule{Handle: handle, Text: text, Branches: []netdump.Branch{{Does: netdump.Jump, Chain: chain}}}
}

func dnat(handle uint64, to string, opaque bool) netdump.Rule {
	return netdump.Rule{Handle: handle, Text: "dnat to " + to, Branches: []netdump.Branch{{
		When: host.Match{Opaque: opaque}, Does: netdump.DNAT, To: netip.MustParseAddr(to),
	}}}
}

func in(prefix string) host.Addrs {
	return host.Addrs{In: []netip.Prefix{netip.MustParsePrefix(prefix)}}
}

func to(prefix string) host.Match { return host.Match{Dst: in(prefix)} }
