package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/lab/holder"
)

func newLabStatusCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "List the lab's hosts, subnets, pods and agents",
		Example: `  weft lab status
  weft lab status -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			place, err := labPlace()
			if err != nil {
				return err
			}
			status, err := place.Status()
			if err != nil {
				return labRunning(err)
			}
			if output == outputJSON {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(status)
			}
			return writeLabStatus(cmd.OutOrStdout(), status)
		},
	}
	addOutputFlag(cmd, &output, outputText, outputJSON)
	return cmd
}

func writeLabStatus(w io.Writer, status *holder.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "HOST\tADDRESSES\tSUBNETS\tAGENT\tPODS")
	for _, h := range status.Hosts {
		fmt.Fprintln(t, strings.Join([]string{
			h.Name,
			orNone(strings.Join(h.Addrs, ",")),
			orNone(strings.Join(h.Subnets, ",")),
			h.Agent,
			orNone(strings.Join(h.Pods, ", ")),
		}, "\t"))
	}
	return t.Flush()
}
