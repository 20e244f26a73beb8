package plan

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// Impact is what a change of the config does to the hosts of a network, as far
// as the store tells.
type Impact struct {
	Cut     []Cut         // hosts that lose their path to others
	Shrink  []Shrink      // hosts whose containers need a smaller MTU
	Restart []Member      // flannel's hosts, which read the config only when flanneld starts
	Drain   []lease.Lease // leases that do not fit the new config
	Unsaid  []Member      // hosts that do not say what is directly connected to them, where it matters
}

// Member is a host of the network.
type Member struct {
	lease.Lease
	lease.Host // zero: a host of flannel's, or of an older weft
}

// String names m for people: "h1 (10.4.7.21)", else its address.
func (m Member) String() string {
	var public []string
	for _, a := range m.Public {
		public = append(public, a.String())
	}
	at := strings.Join(public, ",")
	switch {
	case m.Name == "":
		return at
	case at == "":
		return m.Name
	}
	return m.Name + " (" + at + ")"
}

// Cut is a host and those to which its packets find no way any more.
type Cut struct {
	Member
	From []Member
}

// Shrink is a host whose containers' MTU becomes smaller, in bytes.
type Shrink struct {
	Member
	From, To int
}

// Harmless reports whether no running container notices the change.
func (i Impact) Harmless() bool {
	return len(i.Cut) == 0 && len(i.Shrink) == 0 && len(i.Restart) == 0 && len(i.Drain) == 0
}

// ImpactOf returns what the change from the config before to net does, and
// nothing but draining where before is the zero Network: there was none.
func ImpactOf(before, net netconf.Network, leases lease.Set, hosts lease.HostSet) Impact {
	var out Impact
	for l := range leases.All() {
		if !l.Vacant() && fits(before, l) && !fits(net, l) {
			out.Drain = append(out.Drain, l)
		}
	}
	if len(before.Ranges) == 0 {
		return out
	}
	members := membersOf(leases, hosts)
	for _, m := range members {
		switch {
		case m.Name == "" && !follows(net, &m.Lease):
			out.Restart = append(out.Restart, m)
		case m.MTU > 0:
			facts := host.Facts{Uplink: host.Uplink{MTU: m.MTU}}
			if from, to := MTU(before, facts), MTU(net, facts); to < from {
				out.Shrink = append(out.Shrink, Shrink{m, from, to})
			}
		}
	}
	if before.Backend.Type != HostGW && net.Backend.Type == HostGW {
		out.Cut, out.Unsaid = cutBy(net, members)
	}
	return out
}

// membersOf returns each host once, with the lease that it describes itself
// beside if it has several, as while a subnet drains.
func membersOf(leases lease.Set, hosts lease.HostSet) []Member {
	var out []Member
	at := map[string]int{}
	for l := range leases.All() {
		if l.Vacant() {
			continue
		}
		h, _ := hosts.Find(lease.HostOf(l.Subnets))
		i, known := at[hostOf(&l)]
		switch {
		case !known:
			at[hostOf(&l)] = len(out)
			out = append(out, Member{l, h})
		case out[i].Name == "":
			out[i] = Member{l, h}
		}
	}
	return out
}

func fits(net netconf.Network, l lease.Lease) bool {
	for _, r := range net.Ranges {
		subnet, ok := l.Subnet(r.Family())
		if !ok || r.Fits(subnet) != nil {
			return false
		}
	}
	return true
}

// cutBy returns the hosts that lose others when all packets go without a
// tunnel, and the hosts of which that cannot be told. Hosts that are connected
// to the same prefixes reach the same peers, so each such group is tried once.
func cutBy(net netconf.Network, members []Member) (cuts []Cut, unsaid []Member) {
	groups := map[string][]netip.Prefix{}
	lost := map[string][]Member{}
	key := func(m Member) string {
		var words []string
		for _, p := range m.OnLink {
			words = append(words, p.String())
		}
		return strings.Join(words, " ")
	}
	for _, m := range members {
		if len(m.OnLink) == 0 {
			unsaid = append(unsaid, m)
			continue
		}
		groups[key(m)] = m.OnLink
	}
	for k, prefixes := range groups {
		for _, m := range members {
			if !reaches(net, prefixes, m.Lease) {
				lost[k] = append(lost[k], m)
			}
		}
	}
	for _, m := range members {
		from := slices.DeleteFunc(slices.Clone(lost[key(m)]), func(o Member) bool { return slices.Equal(o.Public, m.Public) })
		if len(m.OnLink) > 0 && len(from) > 0 {
			cuts = append(cuts, Cut{m, from})
		}
	}
	slices.SortStableFunc(cuts, func(a, b Cut) int { return len(b.From) - len(a.From) })
	return cuts, unsaid
}

// reaches reports whether a host that is connected to prefixes reaches l
// without a tunnel, in every family of net.
func reaches(net netconf.Network, prefixes []netip.Prefix, l lease.Lease) bool {
	for _, r := range net.Ranges {
		if a, ok := l.PublicAddr(r.Family()); ok && !onLink(prefixes, a) {
			return false
		}
	}
	return true
}
