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
		Long: `Check a network config and store it in place of the present one. What changes is
shown key by key. A config that is not valid is refused, and so is one that
would overwrite a change somebody else makes at the same time.

Running agents follow without a restart and without losing a packet: each makes
ready to receive in the new way before it announces it, sends to every peer by
what that peer announces, and keeps the old way in while anybody uses it. A new
Port with the same VNI is announced to nobody: a host whose agent is down, or
takes more than ten seconds to follow, is not reached by tunnel until it has.`,
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
	fs.Var(newValue(&wait, "duration", "0s", parseDuration), "wait", "wait this long until every host has followed; 0: do not wait")
	takeFlags(cmd, fs)
	return cmd
}

// replaceConfig stores doc if the config is still as in snap, and says what
// changed.
func replaceConfig(ctx context.Context, w io.Writer, st store.Store, snap store.Snapshot, doc []byte) error {
	changes := compareDocuments(snap.Config, doc)
	if len(changes) == 0 && bytes.Equal(bytes.TrimSpace(snap.Config), bytes.TrimSpace(doc)) {
		fmt.Fprintln(w, "nothing to change")
		return nil
	}
	err := st.SetConfig(ctx, doc, snap.ConfigRevision)
	if errors.Is(err, store.ErrConflict) {
		return withHint(fmt.Errorf("store the config: %w", err), "look at the new one with 'weft config get' and try again")
	}
	if err != nil {
		return fmt.Errorf("store the config: %w", err)
	}
	for _, c := range changes {
		fmt.Fprintln(w, c)
	}
	if len(changes) == 0 {
		fmt.Fprintln(w, "only its layout changed")
	}
	fmt.Fprintln(w, stored(snap, doc))
	return nil
}

// stored says how many hosts the new config concerns.
func stored(snap store.Snapshot, doc []byte) string {
	net, err := netconf.Parse(doc)
	if err != nil {
		return "stored"
	}
	done, behind := plan.Stage(net, snap.Leases.Slice())
	if len(behind) == 0 {
		return "stored"
	}
	return fmt.Sprintf("stored; %d of %d hosts change over to %s", len(behind), done+len(behind), net.Backend)
}
