package cli

import (
	"flag"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/cni/install"
)

func newCNIUninstallCommand() *cobra.Command {
	var dirs install.Dirs
	var hold bool
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Undo 'weft cni install'",
		Long: `Remove the config and the plugin that 'weft cni install' installed, and put back
what stood there before. A file that somebody changed since stays as it is.

A runtime needs the plugin also to end containers that it made with it: move
these to other hosts first, or have another plugin in its place.`,
		Example: `  weft cni uninstall`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			steps, err := dirs.Uninstall()
			printSteps(cmd.OutOrStdout(), steps)
			if err != nil {
				return err
			}
			if len(steps) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "weft's plugin is not installed")
			}
			if hold {
				<-cmd.Context().Done()
			}
			return nil
		},
	}
	fs := newFlagSet()
	addRecordDirFlag(fs, &dirs.State)
	addBool(fs, &hold, "hold", "false", "then wait for SIGTERM or SIGINT, as the pod of a DaemonSet has to")
	takeFlags(cmd, fs)
	return cmd
}

func addRecordDirFlag(fs *flag.FlagSet, to *string) {
	fs.Var(newValue(to, "directory", defaultStateDir, parseDir), "state-dir", "directory of the record of what was installed")
}
