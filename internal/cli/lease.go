package cli

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

func newLeaseCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "lease",
		Short: "List, reserve and release subnets",
		Long: `A lease assigns a subnet to a host. It expires when the host no longer renews it.
A reservation is a lease that does not expire. If it names an address, the host
with that address gets the subnet.`,
		Example: `  weft lease list
  weft lease reserve 10.5.34.0/24 --public-ip 10.4.7.21
  weft lease release 10.5.34.0/24`,
	}, newLeaseListCommand(), newLeaseReserveCommand(), newLeaseReleaseCommand())
}

// parseSubnets reads a lease's subnets as people or stores write them:
// 10.5.34.0/24, 10.5.34.0/24,fd00:1::/64, 10.5.34.0-24&fd00:1::-64.
func parseSubnets(text string) ([]netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		subnets, err := lease.ParseKey(text)
		if err != nil {
			return nil, usagef("%q is not a subnet: write 10.5.34.0/24, or 10.5.34.0/24,fd00:1::/64 for both families", text)
		}
		return subnets, nil
	}
	var out []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		p, err := netip.ParsePrefix(strings.TrimSpace(part))
		if err != nil {
			return nil, usagef("%q is not a subnet: write 10.5.34.0/24, or 10.5.34.0/24,fd00:1::/64 for both families", part)
		}
		if p != p.Masked() {
			return nil, usagef("%s has host bits set: the subnet is %s", p, p.Masked())
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int {
		return int(netconf.FamilyOf(a.Addr())) - int(netconf.FamilyOf(b.Addr()))
	})
	if _, err := lease.ParseKey(lease.Key(out)); err != nil {
		return nil, usagef("%q: a lease has at most one subnet per family", text)
	}
	return out, nil
}

// misfit returns why subnets cannot be a regular lease of net, "" if they can.
// Subnets that another system assigns may be of any length.
func misfit(net netconf.Network, subnets []netip.Prefix, assigned bool) string {
	for _, r := range net.Ranges {
		i := slices.IndexFunc(subnets, func(p netip.Prefix) bool { return netconf.FamilyOf(p.Addr()) == r.Family() })
		if i < 0 {
			return fmt.Sprintf("has no %s subnet, but the network has %s", r.Family(), r.Network)
		}
		p := subnets[i]
		switch {
		case !r.Network.Contains(p.Addr()) || p.Bits() < r.Network.Bits():
			return fmt.Sprintf("%s is outside the network %s", p, r.Network)
		case assigned:
		case p.Bits() != r.SubnetLen:
			return fmt.Sprintf("%s is a /%d, but the network is divided into /%d", p, p.Bits(), r.SubnetLen)
		case p.Addr().Less(r.Min) || r.Max.Less(p.Addr()):
			return fmt.Sprintf("%s is outside the range %s to %s (SubnetMin to SubnetMax)", p, r.Min, r.Max)
		}
	}
	for _, p := range subnets {
		if _, ok := net.Range(netconf.FamilyOf(p.Addr())); !ok {
			return fmt.Sprintf("%s: the network has no %s range", p, netconf.FamilyOf(p.Addr()))
		}
	}
	return ""
}

// storedNetwork is the parsed config of a snapshot.
func storedNetwork(snap store.Snapshot) (netconf.Network, error) {
	if snap.Config == nil {
		return netconf.Network{}, noConfig(snap)
	}
	net, err := netconf.Parse(snap.Config)
	if err != nil {
		return net, withHint(fmt.Errorf("the stored config is not valid: %w", err), "fix it with 'weft config edit'")
	}
	return net, nil
}
