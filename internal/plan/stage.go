package plan

import (
	"fmt"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
)

// Stage tells how far hosts have followed a change of the config to net: the
// hosts that have, and of those that have not a lease each. A host is known by
// what it announces as its addresses; while a subnet of it drains it has more
// than one lease. Reservations that nobody has claimed are no hosts.
func Stage(net netconf.Network, leases []lease.Lease) (done int, behind []lease.Lease) {
	followed := map[string]bool{}
	for i := range leases {
		if l := &leases[i]; !l.Vacant() {
			followed[hostOf(l)] = followed[hostOf(l)] || follows(net, l)
		}
	}
	seen := map[string]bool{}
	for i := range leases {
		l := &leases[i]
		name := hostOf(l)
		switch {
		case l.Vacant() || seen[name]:
			continue
		case followed[name]:
			done++
		default:
			behind = append(behind, *l)
		}
		seen[name] = true
	}
	return done, behind
}

func hostOf(l *lease.Lease) string {
	if len(l.Public) == 0 {
		return lease.Key(l.Subnets)
	}
	return fmt.Sprint(l.Public)
}

// follows reports whether l is as net wants it: a subnet of each range, and
// the announcement of net's backend.
func follows(net netconf.Network, l *lease.Lease) bool {
	want := net.Backend.Type
	if backends[want].unnamed {
		want = ""
	}
	if l.Backend != want {
		return false
	}
	for _, r := range net.Ranges {
		subnet, ok := l.Subnet(r.Family())
		if !ok || r.Fits(subnet) != nil {
			return false
		}
		if follows := backends[l.Backend].follows; follows != nil && !follows(net.Backend, l.Data.Of(r.Family())) {
			return false
		}
	}
	return true
}

// Announced says in a few words how a host that announces attrs is reached:
// "host-gw", "vxlan with VNI 1"; "" if it announces nothing.
func Announced(attrs lease.Attrs) string {
	if tunnels := TunnelsOf(attrs); len(tunnels) > 0 {
		return tunnels[0].String()
	}
	return attrs.Backend
}
