package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/explain"
	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/status"
)

// facts gathers what is known about this host and the network: from the agent or, without
// one, from the store or the state directory's copy of it. What cannot be known is
// absent, and said on the error output.
func (p *planner) facts(ctx context.Context, cmd *cobra.Command, k *kernel.Kernel) (f explain.Facts, err error) {
	client, err := running(ctx, p.runDir)
	if err != nil {
		return f, err
	}
	if client != nil {
		defer client.Close()
		f.Agent = true
		if f.Status, err = client.Status(ctx); err != nil {
			return f, err
		}
		f.Plan, err = client.Plan(ctx)
		if _, none := errors.AsType[*api.RefusedError](err); err != nil && !none {
			return f, err
		}
	} else if seen, err := p.compute(ctx, cmd, k); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "weft: no agent runs here, and the plan is not known: %s\n", indented(err.Error()))
	} else {
		board := status.NewBoard(status.Options{Hostname: hostname()})
		board.Step(seen.View)
		f.Status, f.Plan = board.Status(), seen.Want
	}
	dump, err := k.Dump(ctx, true)
	if err != nil {
		return f, err
	}
	f.Kernel = *dump
	return f, nil
}
