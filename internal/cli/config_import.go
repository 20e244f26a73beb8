package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/etcd"
)

func newConfigImportCommand(a *app) *cobra.Command {
	r := replacing{app: a}
	fromV2 := false
	cmd := &cobra.Command{
		Use:   "import --from-v2",
		Short: "Copy the network config from etcd's v2 store",
		Long: `Copy the network config from etcd's v2 store, in which flannel kept it before 0.11,
to the v3 store, which weft and flannel use. etcd serves both up to version 3.5 when
it runs with --enable-v2. The config is read under the same prefix and checked; a
different one in the v3 store is not replaced. Nothing is removed from the v2 store.

Leases are not copied: each host registers its subnet anew when its agent starts,
and keeps the one in its subnet file. Until then its subnet is not known to be
taken, so replace the hosts' flanneld before new hosts join.`,
		Example: `  weft config import --from-v2 --dry-run --etcd-endpoints=http://10.0.0.5:2379
  weft config import --from-v2 --etcd-endpoints=http://10.0.0.5:2379`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !fromV2 {
				return usagef("the store to copy from is not named; give --from-v2")
			}
			return importV2(cmd, &r)
		},
	}
	fs := newFlagSet()
	addBool(fs, &fromV2, "from-v2", "false", "copy from etcd's v2 store")
	takeFlags(cmd, fs)
	r.flags(cmd)
	return cmd
}

func importV2(cmd *cobra.Command, r *replacing) error {
	found, snap, err := readBoth(cmd, &r.access)
	if err != nil {
		return fmt.Errorf("import the config: %w", err)
	}
	if found.Config == nil {
		return withHint(fmt.Errorf("import the config: etcd's v2 store holds none under %s", r.access.prefix), "name the path with --etcd-prefix")
	}
	switch {
	case snap.Config == nil:
	case len(compareDocuments(snap.Config, found.Config)) == 0:
		fmt.Fprintln(cmd.OutOrStdout(), "nothing to change")
		return nil
	default:
		return withHint(fmt.Errorf("import the config: the v3 store has another one already:\n%s", found.Config),
			"that is the one in the v2 store; 'weft config get' prints the other, and 'weft config set' replaces it")
	}
	if _, err := r.replace(cmd, snap, found.Config); err != nil {
		return err
	}
	if n := len(found.Leases); n > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "leases in the v2 store are not copied (%d): each host registers its subnet anew when its agent starts\n", n)
	}
	return nil
}

// readBoth reads the v2 store and the v3 store of an etcd.
func readBoth(cmd *cobra.Command, x *access) (old etcd.V2, snap store.Snapshot, err error) {
	err = x.with(cmd, false, func(ctx context.Context, st store.Store) (err error) {
		both, ok := st.(interface {
			V2(context.Context) (etcd.V2, error)
		})
		if !ok {
			return usagef("this store is no etcd with a v2 store; name one with --etcd-endpoints")
		}
		if old, err = both.V2(ctx); err != nil {
			return err
		}
		snap, err = st.Snapshot(ctx)
		return err
	})
	return old, snap, err
}
