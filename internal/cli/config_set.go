package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/plan"
	"github.com/weft-net/weft/internal/store"
)

func newConfigSetCommand(a *app) *cobra.Command {
	var x access
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "set FILE|-|JSON",
		Short: "Store a network config",
		Long: `Check a network config and replace the stored one. Changes are shown key by key.
An invalid config is refused, and so is one that would overwrite a concurrent
change.

Running agents switch without a restart and without losing a packet: each accepts
packets of the new backend before it advertises it, sends to each peer with the
backend that the peer advertises, and accepts the old backend until all hosts have
switched. Leases do not tell a new Port with the same VNI: a host whose agent is
down, or takes more than ten seconds to switch, is not reachable through the tunnel
until it has switched.`,
		Example: `  weft config set --wait=2m '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'
  weft config set net.json
  weft config set - < net.json
  weft config set '{"Network": "10.5.0.0/16"}'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			doc, err := readDocument(args[0], a.Stdin)
			if err != nil {
				return err
			}
			net, err := checkDocument(cmd.ErrOrStderr(), doc)
			if err != nil {
				return err
			}
			err = x.with(cmd, true, func(ctx context.Context, st store.Store) error {
				snap, err := st.Snapshot(ctx)
				if err != nil {
					return err
				}
				return replaceConfig(ctx, cmd.OutOrStdout(), st, snap, doc)
			})
			if err != nil || wait == 0 {
				return err
			}
			x.timeout += wait
			return x.silently(cmd, false, func(ctx context.Context, st store.Store) error {
				return followChange(ctx, cmd.ErrOrStderr(), st, net, wait)
			})
		},
	}
	x.flags(cmd)
	fs := newFlagSet()
	fs.Var(newValue(&wait, "duration", "0s", parseDuration), "wait", "wait up to this long until every host has switched; 0: do not wait")
	takeFlags(cmd, fs)
	return cmd
}

// replaceConfig stores doc if the config is still as in snap, and prints the
// changes.
func replaceConfig(ctx context.Context, w io.Writer, st store.Store, snap store.Snapshot, doc []byte) error {
	changes := compareDocuments(snap.Config, doc)
	if len(changes) == 0 && bytes.Equal(bytes.TrimSpace(snap.Config), bytes.TrimSpace(doc)) {
		fmt.Fprintln(w, "nothing to change")
		return nil
	}
	err := st.SetConfig(ctx, doc, snap.ConfigRevision)
	if errors.Is(err, store.ErrConflict) {
		return withHint(fmt.Errorf("store the config: %w", err), "see the stored one with 'weft config get' and try again")
	}
	if err != nil {
		return fmt.Errorf("store the config: %w", err)
	}
	for _, c := range changes {
		fmt.Fprintln(w, c)
	}
	if len(changes) == 0 {
		fmt.Fprintln(w, "only the layout changed")
	}
	fmt.Fprintln(w, stored(snap, doc))
	return nil
}

// stored returns the text about a stored config: how many hosts will switch.
func stored(snap store.Snapshot, doc []byte) string {
	net, err := netconf.Parse(doc)
	if err != nil {
		return "stored"
	}
	done, behind := plan.Stage(net, snap.Leases.Slice())
	if len(behind) == 0 {
		return "stored"
	}
	return fmt.Sprintf("stored; %d of %d hosts will switch to %s", len(behind), done+len(behind), net.Backend)
}
