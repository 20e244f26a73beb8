package cli

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
)

// watchPeriod is how often a followed status is asked for.
const watchPeriod = time.Second

// clearScreen moves a terminal's cursor home and erases what is below it
// (ECMA-48).
const clearScreen = "\x1b[H\x1b[2J"

// follow shows s, and the status again whenever it has changed, until the
// command is interrupted. On a terminal each takes the place of the one before.
func (v statusView) follow(cmd *cobra.Command, agent *api.Client, s api.Status) error {
	ticks := time.NewTicker(watchPeriod)
	defer ticks.Stop()
	var shown []byte
	for {
		var text bytes.Buffer
		if err := v.show(alike(cmd.OutOrStdout(), &text), s, time.Now()); err != nil {
			return err
		}
		if !bytes.Equal(text.Bytes(), shown) {
			shown = text.Bytes()
			v.redraw(cmd, shown)
		}
		select {
		case <-cmd.Context().Done():
			return nil
		case <-ticks.C:
		}
		next, err := statusWithin(cmd.Context(), agent)
		if err != nil {
			return err
		}
		s = next
	}
}

func (v statusView) redraw(cmd *cobra.Command, text []byte) {
	out := cmd.OutOrStdout()
	if p, ok := out.(*printer); ok { // text is escaped already
		out = p.to
	}
	switch {
	case isTerminal(out):
		fmt.Fprint(out, clearScreen)
	case v.output == outputYAML:
		fmt.Fprintln(out, "---")
	case v.output != outputJSON:
		fmt.Fprintf(out, "--- %s\n", time.Now().Format(time.TimeOnly))
	}
	_, _ = out.Write(text) // an error of the terminal is ignored, as everywhere
}

func statusWithin(ctx context.Context, agent *api.Client) (api.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*watchPeriod)
	defer cancel()
	return agent.Status(ctx)
}
