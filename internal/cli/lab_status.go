package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/lab/holder"
)

// labDocument is a lab for programs.
type labDocument struct {
	header
	holder.Status
}

func newLabStatusCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "List the lab's hosts, subnets, pods and agents",
		Long: `List the hosts of the lab that 'weft lab up' keeps, with their addresses, subnets,
pods, and whether their agents run.`,
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
			doc := labDocument{newHeader("Lab"), *status}
			return present(cmd.OutOrStdout(), output, doc, func() error {
				return writeLabStatus(cmd.OutOrStdout(), status)
			})
		},
	}
	addOutputFlag(cmd, &output)
	return cmd
}

func writeLabStatus(w io.Writer, status *holder.Status) error {
	t := newTable(w, columnGap+1)
	t.header("HOST", "SEGMENT", "ADDRESSES", "SUBNETS", "AGENT", "PODS")
	for _, h := range status.Hosts {
		t.row(h.Name, h.Segment, orNone(strings.Join(h.Addrs, ",")), orNone(strings.Join(h.Subnets, ",")), h.Agent, orNone(strings.Join(h.Pods, ", ")))
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, fault := range []struct {
		what  string
		names []string
	}{{"cut  ", status.Cut}, {"checksums left undone by", status.Unsummed}} {
		if len(fault.names) > 0 {
			if _, err := fmt.Fprintf(w, "%s %s\n", fault.what, strings.Join(fault.names, " ")); err != nil {
				return err
			}
		}
	}
	return nil
}
