package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
)

// followPause is how often --follow asks for new events.
const followPause = time.Second

func newEventsCommand() *cobra.Command {
	var dirs dirSettings
	var once onceSettings
	var v eventsView
	var follow bool
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what the running agent did and observed",
		Long: `Show the last thousand events of the running agent: drift in the kernel and which
process caused it, repairs, leases, store outages, changes of config and uplink.
With --follow, new events are shown until the command is interrupted.`,
		Example: `  weft events -n 20
  weft events --since=1h
  weft events -f
  weft events -o json | jq 'select(.level == "warn")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askAgent(cmd, dirs, once, func(ctx context.Context, agent *api.Client) error {
				last, err := v.show(ctx, cmd.OutOrStdout(), agent, 0)
				v.last, v.since = 0, 0 // only of what there was
				for follow && err == nil {
					select {
					case <-cmd.Context().Done():
						return nil
					case <-time.After(followPause):
					}
					last, err = v.show(cmd.Context(), cmd.OutOrStdout(), agent, last)
				}
				return err
			})
		},
	}
	fs := newFlagSet()
	addRunDirFlag(fs, &dirs)
	addOnceFlags(fs, &once)
	takeFlags(cmd, fs)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "show new events as they happen")
	cmd.Flags().IntVarP(&v.last, "last", "n", 0, "show only this many of the latest; 0: all")
	cmd.Flags().DurationVar(&v.since, "since", 0, "show only those of this long until now, such as 10m or 2h; 0: all")
	addOutputFlag(cmd, &v.output)
	return cmd
}

// eventsView is which events are shown, and how.
type eventsView struct {
	output string
	last   int           // so many of the latest; 0: all
	since  time.Duration // before now; 0: all
}

// of returns the events to show.
func (v eventsView) of(events []api.Event, now time.Time) []api.Event {
	if v.since > 0 {
		events = slices.DeleteFunc(events, func(e api.Event) bool { return e.At.Before(now.Add(-v.since)) })
	}
	if v.last > 0 {
		events = events[max(0, len(events)-v.last):]
	}
	return events
}

// show writes the events after the one numbered after, and returns the number
// of the last.
func (v eventsView) show(ctx context.Context, w io.Writer, agent *api.Client, after int64) (int64, error) {
	events, err := agent.Events(ctx, after)
	if err != nil {
		return after, err
	}
	if n := len(events); n > 0 {
		after = events[n-1].Number
	}
	for _, e := range v.of(events, time.Now()) {
		if err := printEvent(w, v.output, e); err != nil {
			return after, err
		}
	}
	return after, nil
}

// eventDocument is an event for programs. Its kind is the event's own.
type eventDocument struct {
	APIVersion string `json:"apiVersion"`
	api.Event
}

// printEvent prints e as one line, or as one document of a stream.
func printEvent(w io.Writer, form string, e api.Event) error {
	doc := eventDocument{documentVersion, e}
	switch form {
	case outputJSON:
		return json.NewEncoder(w).Encode(doc)
	case outputYAML:
		fmt.Fprintln(w, "---")
		return printYAML(w, doc)
	}
	fmt.Fprintf(w, "%s  ", e.At.Format(time.DateTime))
	paint(w, levelStyles[e.Level], fmt.Sprintf("%-5s", oneLine(e.Level)))
	_, err := fmt.Fprintf(w, "  %s  %s\n", oneLine(e.Message), oneLine(e.Detail()))
	return err
}

var levelStyles = map[string]style{"warn": yellow, "error": red}
