package cli

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

func newLeaseReserveCommand() *cobra.Command {
	var x access
	var public uplinkSettings
	cmd := &cobra.Command{
		Use:   "reserve SUBNET",
		Short: "Reserve a subnet permanently",
		Long: `Store a lease that does not expire. With --public-ip the subnet is reserved for the
host that advertises that address; a host that has the subnet now keeps it.`,
		Example: `  weft lease reserve 10.5.34.0/24
  weft lease reserve 10.5.34.0/24 --public-ip 10.4.7.21
  weft lease reserve 10.5.34.0/24,fd00:1:0:22::/64`,
		Args: oneArgument("a subnet", "weft lease reserve 10.5.7.0/24"),
		RunE: func(cmd *cobra.Command, args []string) error {
			subnets, err := parseSubnets(args[0])
			if err != nil {
				return err
			}
			return x.with(cmd, true, func(ctx context.Context, st store.Store) error {
				if err := reserve(ctx, st, subnets, public.public()); err != nil {
					return err
				}
				return conclude(cmd.OutOrStdout(), "reserved "+lease.FormatSubnets(subnets))
			})
		},
	}
	fs := newFlagSet()
	fs.Var(newValue(&public.publicIP, "address", "", parseAddr("an IPv4 address", isHostV4)), "public-ip", "IPv4 address of the host that gets the subnet")
	fs.Var(newValue(&public.publicIPv6, "address", "", parseAddr("an IPv6 address", isHostV6)), "public-ipv6", "IPv6 address of the host that gets the subnet")
	takeFlags(cmd, fs)
	x.flags(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

func reserve(ctx context.Context, st store.Store, subnets []netip.Prefix, public []netip.Addr) error {
	snap, err := st.Snapshot(ctx)
	if err != nil {
		return err
	}
	net, err := storedNetwork(snap)
	if err != nil {
		return err
	}
	if why := misfit(net, subnets, snap.Assigned != nil); why != "" {
		return withHint(fmt.Errorf("%s cannot be leased: %s", lease.FormatSubnets(subnets), why), "'weft config get' shows the network")
	}
	return st.Reserve(ctx, lease.Lease{Subnets: subnets, Attrs: lease.Attrs{Public: public}, Reserved: true})
}
