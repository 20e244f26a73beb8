package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/bundle"
	"github.com/weft-net/weft/internal/explain"
	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/offline"
	"github.com/weft-net/weft/internal/status"
)

// gathered is what is known about this host and the network.
type gathered struct {
	explain.Facts
	planErr error // why the plan is not known
}

// gather asks the agent or, without one, the store or the state directory's copy of it, and
// the kernel; legacy says whether the iptables-legacy program may be run for that. A plan
// that cannot be known is absent.
func (p *planner) gather(ctx context.Context, cmd *cobra.Command, k *kernel.Kernel, legacy bool) (g gathered, err error) {
	client, err := running(ctx, p.runDir)
	if err != nil {
		return g, err
	}
	if client != nil {
		defer client.Close()
		err = g.ask(ctx, client)
	} else if seen, failed := p.computeSoon(ctx, cmd, k); failed != nil {
		g.planErr = failed
	} else {
		board := status.NewBoard(status.Options{Hostname: hostname()})
		board.Step(seen.View)
		g.Status, g.Plan = board.Status(), seen.Want
		g.Status.Problems = nil // of an agent that has just started
	}
	if err != nil {
		return g, err
	}
	dump, err := k.Dump(ctx, legacy)
	if err == nil {
		g.Kernel = *dump
	}
	return g, err
}

// computeSoon computes the plan from the store, or from the state directory's copy of it if
// the store does not answer within a third of the time: the rest is needed as well.
func (p *planner) computeSoon(ctx context.Context, cmd *cobra.Command, k *kernel.Kernel) (seen offline.Preview, err error) {
	soon, cancel := context.WithTimeout(ctx, p.timeout/3)
	defer cancel()
	if seen, err = p.compute(soon, cmd, k); err == nil {
		return seen, nil
	}
	fromCopy := *p
	fromCopy.storeless = true
	if seen, failed := fromCopy.compute(ctx, cmd, k); failed == nil {
		return seen, nil
	}
	return seen, err
}

func (g *gathered) ask(ctx context.Context, agent *api.Client) (err error) {
	g.Agent = true
	if g.Status, err = agent.Status(ctx); err != nil {
		return err
	}
	g.Plan, err = agent.Plan(ctx)
	if _, none := errors.AsType[*api.RefusedError](err); none {
		g.planErr, err = err, nil
	}
	return err
}

// facts are those of gather; that the plan is not known is said on the error output.
func (p *planner) facts(ctx context.Context, cmd *cobra.Command, k *kernel.Kernel) (explain.Facts, error) {
	g, err := p.gather(ctx, cmd, k, !p.alone)
	if err == nil && g.planErr != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "weft: the plan is not known: %s\n", indented(g.planErr.Error()))
	}
	return g.Facts, err
}

// bundledFacts reads the facts of an archive of 'weft bundle'.
func bundledFacts(file string) (f explain.Facts, err error) {
	in, err := os.Open(file)
	if err != nil {
		return f, err
	}
	defer in.Close()
	parts, err := bundle.Read(in)
	if err != nil {
		return f, fmt.Errorf("%s: %w", file, err)
	}
	var m bundle.Manifest
	for name, to := range map[string]any{bundle.ManifestName: &m, bundle.KernelName: &f.Kernel, bundle.StatusName: &f.Status} {
		if err := json.Unmarshal(parts[name], to); err != nil {
			return f, fmt.Errorf("%s: read %s: %w", file, name, err)
		}
	}
	f.Agent = m.Agent
	if text, found := parts[bundle.PlanName]; found {
		f.Plan, err = netstate.Parse(bytes.NewReader(text))
	}
	return f, err
}
