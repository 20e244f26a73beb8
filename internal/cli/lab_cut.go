package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/lab/holder"
)

func newLabCutCommand() *cobra.Command {
	return newLabFaultCommand(&cobra.Command{
		Use:   "cut HOST|SEGMENT",
		Short: "Cut a host's cable, or stop a whole segment, in the lab",
		Long: `Cut the cable of a host's uplink, or stop a segment so that nothing passes between
its hosts, in the lab that 'weft lab up' keeps. Devices, addresses and routes of the
hosts stay. 'weft lab status' lists what is cut, 'weft lab mend' undoes it.`,
		Example: `  weft lab cut etcd                    # agents without their store
  weft lab cut b                       # the segment of h3 and h4
  weft lab mend etcd`,
	}, "cut", holder.Place.Cut)
}

func newLabMendCommand() *cobra.Command {
	return newLabFaultCommand(&cobra.Command{
		Use:     "mend HOST|SEGMENT",
		Short:   "Undo 'weft lab cut'",
		Long:    `Undo 'weft lab cut'. It is not an error if nothing was cut.`,
		Example: `  weft lab mend etcd`,
	}, "mended", holder.Place.Mend)
}

// newLabFaultCommand completes a command that does something to a host or a segment.
func newLabFaultCommand(cmd *cobra.Command, done string, do func(holder.Place, string) error) *cobra.Command {
	cmd.Args = oneArgument("a host or segment of the lab", "weft lab "+strings.Fields(cmd.Use)[0]+" etcd")
	cmd.ValidArgsFunction = completeLab(cobra.ShellCompDirectiveNoFileComp, labCables)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		place, err := labPlace()
		if err != nil {
			return err
		}
		if err := do(place, args[0]); err != nil {
			return labRunning(err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", done, args[0])
		return nil
	}
	return cmd
}
