package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/lease"
)

// dockerFix has the one command that makes Docker follow this host's subnet.
const dockerFix = "restart it with: weft docker configure --restart"

// dockerProblems tells of a Docker that was started with the address or the MTU of
// an earlier config. Only a bridge with addresses in the network is judged: another
// Docker does not use this host's subnet. A smaller MTU loses no packets.
func dockerProblems(in *Input) (out []Problem) {
	i := slices.IndexFunc(in.Host.Bridges, func(b host.Bridge) bool { return b.Name == host.DockerBridge })
	if i < 0 || len(in.Self.Subnets) == 0 {
		return nil
	}
	b := in.Host.Bridges[i]
	tell := func(note bool, text string, args ...any) {
		err := fmt.Errorf(text+"; "+dockerFix, args...)
		out = append(out, Problem{Subject: "Docker", Err: err, Note: note})
	}
	outside := func(a netip.Addr) bool {
		return !slices.ContainsFunc(in.Self.Subnets, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	if j := slices.IndexFunc(b.Addrs, outside); j >= 0 {
		tell(false, "stale: %s has %s, but this host's subnet is now %s", b.Name, b.Addrs[j], lease.FormatSubnets(in.Self.Subnets))
	}
	switch mtu := MTU(in.Net, in.Host); {
	case b.MTU > mtu:
		tell(false, "stale: containers on %s have MTU %d, but the network's is now %d, and larger packets depend on path MTU discovery", b.Name, b.MTU, mtu)
	case b.MTU != 0 && b.MTU < mtu:
		tell(true, "stale: containers on %s have MTU %d, and the network's is now %d", b.Name, b.MTU, mtu)
	}
	return out
}
