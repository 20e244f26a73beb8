package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/lab/holder"
)

func newLabCutCommand() *cobra.Command {
	var checksums bool
	cmd := newLabFaultCommand(&cobra.Command{
		Use:   "cut HOST|SEGMENT",
		Short: "Cut a host's cable, or stop a whole segment, in the lab",
		Long: `Cut the cable of a host's uplink, or stop a segment so that nothing passes between
its hosts, in the lab that 'weft lab up' keeps. Devices, addresses and routes of the
hosts stay. 'weft lab status' lists what is cut, 'weft lab mend' undoes it.

With --checksums the host's uplink carries packets, but does not complete the
checksums of those in a tunnel, as some network cards: UDP and TCP of its containers
are lost.`,
		Example: `  weft lab cut etcd                    # agents without their store
  weft lab cut b                       # the segment of h3 and h4
  weft lab cut --checksums h1          # a card with a broken offload
  weft lab mend etcd`,
	}, func(place holder.Place, name string) (string, error) {
		if checksums {
			return "checksums left undone by " + name, place.BreakChecksums(name)
		}
		return "cut " + name, place.Cut(name)
	})
	cmd.Flags().BoolVar(&checksums, "checksums", false, "only have the host's uplink not complete checksums in tunnels")
	return cmd
}

func newLabMendCommand() *cobra.Command {
	return newLabFaultCommand(&cobra.Command{
		Use:     "mend HOST|SEGMENT",
		Short:   "Undo 'weft lab cut'",
		Long:    `Undo 'weft lab cut'. It is not an error if nothing was cut.`,
		Example: `  weft lab mend etcd`,
	}, func(place holder.Place, name string) (string, error) { return "mended " + name, place.Mend(name) })
}

// newLabFaultCommand completes a command that does something to a host or a segment,
// and says what was done.
func newLabFaultCommand(cmd *cobra.Command, do func(holder.Place, string) (done string, err error)) *cobra.Command {
	cmd.Args = oneArgument("a host or segment of the lab", "weft lab "+strings.Fields(cmd.Use)[0]+" etcd")
	cmd.ValidArgsFunction = completeLab(cobra.ShellCompDirectiveNoFileComp, labCables)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		place, err := labPlace()
		if err != nil {
			return err
		}
		done, err := do(place, args[0])
		if err != nil {
			return labRunning(err)
		}
		fmt.Fprintln(cmd.OutOrStdout(), done)
		return nil
	}
	return cmd
}
