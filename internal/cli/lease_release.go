package cli

import (
	"context"
	"errors"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

func newLeaseReleaseCommand() *cobra.Command {
	var x access
	cmd := &cobra.Command{
		Use:   "release SUBNET",
		Short: "Remove a lease or a reservation",
		Long: `Remove a lease or a reservation from the store, and print whose it was. If its
host is still running, it acquires a lease again.`,
		Example: "  weft lease release 10.5.34.0/24\n  weft lease release '10.5.34.0-24&fd00:1:0:22::-64'",
		Args:    oneArgument("a subnet", "weft lease release 10.5.34.0/24"),
		RunE: func(cmd *cobra.Command, args []string) error {
			subnets, err := parseSubnets(args[0])
			if err != nil {
				return err
			}
			return x.with(cmd, false, func(ctx context.Context, st store.Store) error {
				was, err := release(ctx, st, subnets)
				if err != nil {
					return err
				}
				return conclude(cmd.OutOrStdout(), "released "+was)
			})
		},
	}
	x.flags(cmd)
	cmd.ValidArgsFunction = completeLeases(&x)
	return cmd
}

// release removes the lease and returns a description of it.
func release(ctx context.Context, st store.Store, subnets []netip.Prefix) (string, error) {
	snap, err := st.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	if err := st.Release(ctx, subnets); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = withHint(err, "list them with 'weft lease list'; give both subnets of a dual-stack lease")
		}
		return "", err
	}
	was := lease.FormatSubnets(subnets)
	for l := range snap.Leases.All() {
		if lease.Key(l.Subnets) != lease.Key(subnets) {
			continue
		}
		if l.Reserved {
			was += ", a reservation"
		}
		if len(l.Public) > 0 {
			was += ", of " + addrs(l.Public)
		}
	}
	return was, nil
}
