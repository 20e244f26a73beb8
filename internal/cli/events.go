package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
)

// followPause is how often --follow asks for new events.
const followPause = time.Second

func newEventsCommand() *cobra.Command {
	var dirs dirSettings
	var once onceSettings
	var output string
	var follow bool
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what the running agent did and observed",
		Long: `Show the last thousand events of the running agent: drift in the kernel and which
process caused it, repairs, leases, store outages, changes of config and uplink.
With --follow, new events are shown until the command is interrupted.`,
		Example: "  weft events\n  weft events --follow\n  weft events -o json | jq 'select(.level == \"warn\")'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askAgent(cmd, dirs, once, func(ctx context.Context, agent *api.Client) error {
				last, err := showEvents(ctx, cmd.OutOrStdout(), agent, 0, output)
				for follow && err == nil {
					select {
					case <-cmd.Context().Done():
						return nil
					case <-time.After(followPause):
					}
					last, err = showEvents(cmd.Context(), cmd.OutOrStdout(), agent, last, output)
				}
				return err
			})
		},
	}
	fs := newFlagSet()
	addRunDirFlag(fs, &dirs)
	addOnceFlags(fs, &once)
	addBool(fs, &follow, "follow", "false", "show new events as they happen")
	takeFlags(cmd, fs)
	addOutputFlag(cmd, &output, outputText, outputJSON)
	return cmd
}

// showEvents writes the events after the one numbered after, and returns the
// number of the last.
func showEvents(ctx context.Context, w io.Writer, agent *api.Client, after int64, output string) (int64, error) {
	events, err := agent.Events(ctx, after)
	if err != nil {
		return after, err
	}
	enc := json.NewEncoder(w)
	for _, e := range events {
		after = e.Number
		if output == outputJSON {
			err = enc.Encode(e)
		} else {
			_, err = fmt.Fprintf(w, "%s  %-5s  %s  %s\n", e.At.Format(time.DateTime), oneLine(e.Level), oneLine(e.Message), oneLine(e.Detail))
		}
		if err != nil {
			return after, err
		}
	}
	return after, nil
}
