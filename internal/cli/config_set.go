package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/store"
)

func newConfigSetCommand(a *app) *cobra.Command {
	var x access
	cmd := &cobra.Command{
		Use:   "set FILE|-|JSON",
		Short: "Store a network config",
		Long: `Check a network config and store it in place of the present one. What changes is
shown key by key. A config that is not valid is refused, and so is one that
would overwrite a change somebody else makes at the same time.`,
		Example: `  weft config set net.json
  weft config set - < net.json
  weft config set '{"Network": "10.5.0.0/16"}'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			doc, err := readDocument(args[0], a.Stdin)
			if err != nil {
				return err
			}
			if _, err := checkDocument(cmd.ErrOrStderr(), doc); err != nil {
				return err
			}
			return x.with(cmd, true, func(ctx context.Context, st store.Store) error {
				snap, err := st.Snapshot(ctx)
				if err != nil {
					return err
				}
				return replaceConfig(ctx, cmd.OutOrStdout(), st, snap, doc)
			})
		},
	}
	x.flags(cmd)
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
	fmt.Fprintln(w, "stored")
	return nil
}
