package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/lab/demo"
	"github.com/weft-net/weft/internal/lab/holder"
	"github.com/weft-net/weft/internal/netns"
)

func newLabDemoCommand() *cobra.Command {
	var c demo.Config
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Build a network, ping between all pods, show the paths, remove it",
		Long: `Build four hosts on two segments behind a router, run an agent and a pod on each
and etcd on a fifth, and ping from every pod to every other. The table shows the
path that the pings took, as counted on the wire, and how many were answered. The
exit code is 1 if a ping was lost.`,
		Example: `  weft lab demo
  weft lab demo --backend host-gw --family dual
  weft lab demo --keep                 # then, in another terminal:
  weft lab exec h1 -- weft status`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return labDemo(cmd, c, keep) },
	}
	addLabFlags(cmd, &c)
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the lab until Ctrl-C or 'weft lab down'")
	return cmd
}

func labDemo(cmd *cobra.Command, c demo.Config, keep bool) error {
	var place holder.Place
	if keep {
		var err error
		if place, err = labPlace(); err != nil {
			return err
		}
	}
	if keep && !netns.Marked() {
		lock, err := place.Lock()
		if err != nil {
			return labRunning(err)
		}
		defer lock.Close() // released at the latest when this process ends
	}
	return inLab(c.Topology(), func(l *lab.Lab) error {
		legs, err := showDemo(cmd.Context(), cmd.OutOrStdout(), l, c)
		if cmd.Context().Err() != nil {
			return errors.New("interrupted; the lab is down again")
		}
		if err != nil {
			return err
		}
		if keep {
			if err := keepLab(cmd, place, l); err != nil {
				return err
			}
		}
		if failure := demo.Failure(legs); failure != "" {
			return &exitError{code: exitFailure, err: fmt.Errorf("a ping was lost: %s", failure)}
		}
		return nil
	})
}

func showDemo(ctx context.Context, w io.Writer, l *lab.Lab, c demo.Config) ([]demo.Leg, error) {
	if err := demo.Raise(ctx, l, c, sayTo(w)); err != nil {
		return nil, err
	}
	fmt.Fprintf(w, "\nPings from every pod to every other:\n\n")
	legs, err := demo.Measure(ctx, l, c.Family)
	if err != nil {
		return nil, err
	}
	if err := demo.WriteTable(w, legs); err != nil {
		return nil, err
	}
	return legs, demo.WriteRoutes(w, l)
}

// keepLab serves the lab until Ctrl-C or 'weft lab down'.
func keepLab(cmd *cobra.Command, place holder.Place, l *lab.Lab) error {
	server, err := holder.Listen(place.Socket(), l, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "\nThe lab stays up. In another terminal: weft lab exec h1 -- weft status\nCtrl-C ends it.\n")
	return server.Serve(cmd.Context())
}
