package explain_test

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/explain"
	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netdump"
)

func dropRoutes(f *explain.Facts, dst string) {
	f.Kernel.Routes = slices.DeleteFunc(f.Kernel.Routes, func(r netdump.Route) bool { return r.Dst.String() == dst })
}

func neigh(f *explain.Facts, addr, dev, state string) {
	f.Kernel.Neighs = append(f.Kernel.Neighs, netdump.Neigh{Addr: netip.MustParseAddr(addr), Dev: dev, State: state})
}

// chain adds a chain: "FAMILY TABLE NAME [HOOK PRIORITY]".
func chain(f *explain.Facts, place string, rules ...netdump.Rule) {
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

// reach says what probes have shown of the path to h3.
func reach(f *explain.Facts, r api.Reach) {
	h3 := &f.Status.Peers[1]
	h3.Paths = []api.Path{{Subnet: h3.Subnets[0], Kind: "vxlan", Dev: "flannel.1", Reach: r}}
}
