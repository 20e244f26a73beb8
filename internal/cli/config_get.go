package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/store"
)

// storedConfig is the output of config get -o json.
type storedConfig struct {
	Revision int64           `json:"revision"` // of the config's last change
	Config   json.RawMessage `json:"config"`
}

func newConfigGetCommand() *cobra.Command {
	var x access
	var output string
	cmd := &cobra.Command{
		Use:   "get",
		Short: "Print the stored network config",
		Long: `Print the network config as it is stored. With -o json it is one field of an object,
next to the store revision of its last change.`,
		Example: "  weft config get\n  weft config get --etcd-endpoints=http://10.0.0.5:2379 > net.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			snap, err := x.snapshot(cmd, false)
			if err != nil {
				return err
			}
			if snap.Config == nil {
				return noConfig(snap)
			}
			if output == outputJSON && json.Valid(snap.Config) {
				return printJSON(cmd.OutOrStdout(), storedConfig{Revision: snap.ConfigRevision, Config: snap.Config})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", bytes.TrimRight(snap.Config, "\n"))
			return err
		},
	}
	x.flags(cmd)
	addOutputFlag(cmd, &output, outputText, outputJSON)
	return cmd
}

// noConfig is the error of a store without a config, the store's own if
// it has one.
func noConfig(snap store.Snapshot) error {
	i := slices.IndexFunc(snap.Bad, func(e store.Entry) bool { return e.Key == "config" })
	if i >= 0 {
		return snap.Bad[i].Err
	}
	if snap.NoConfig != nil {
		return fmt.Errorf("the store holds no network config: %w", snap.NoConfig)
	}
	return withHint(fmt.Errorf("the store holds no network config yet"), "store one with 'weft config set FILE'")
}
