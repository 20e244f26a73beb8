package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/store"
)

// storedConfig is the stored config for programs.
type storedConfig struct {
	header
	Revision int64           `json:"revision"` // of the config's last change
	Config   json.RawMessage `json:"config"`
}

func newConfigGetCommand() *cobra.Command {
	var x access
	var output string
	cmd := &cobra.Command{
		Use:   "get",
		Short: "Print the stored network config",
		Long: `Print the network config as it is stored. With -o json or yaml it is one field of an
object, next to the store revision of its last change; a config that is not JSON
is printed as it is.`,
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
			if !json.Valid(snap.Config) {
				output = outputText
			}
			doc := storedConfig{newHeader("Config"), snap.ConfigRevision, snap.Config}
			return present(cmd.OutOrStdout(), output, doc, func() error {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", bytes.TrimRight(snap.Config, "\n"))
				return err
			})
		},
	}
	x.flags(cmd)
	addOutputFlag(cmd, &output)
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
