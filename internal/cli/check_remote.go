package cli

import (
	"context"
	"log/slog"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/check"
	"github.com/weft-net/weft/internal/explain"
	"github.com/weft-net/weft/internal/peerapi"
	"github.com/weft-net/weft/internal/wgkey"
)

// checksOf returns what runs the checks of this host within its agent, for hosts
// that ask for them. No program is started for it.
func checksOf(s *settings, version string) peerapi.Check {
	return func(ctx context.Context, a api.Agent) []check.Result {
		f := check.Facts{Version: version, Facts: explain.Facts{Status: a.Status(), Plan: a.Plan(), Agent: true}}
		if f.Plan == nil {
			f.PlanErr = "the agent has no plan yet"
		}
		if err := lookAtKernel(ctx, s.dirSettings, &f); err != nil {
			return []check.Result{{Name: "kernel", State: check.Failed, Text: err.Error(), Remedy: "'weft check' on the host may say more"}}
		}
		var err error
		if f.Skew, err = skewOf(ctx, s.storeSettings, f.Status.Store.Kind); err != nil {
			f.SkewErr = err.Error()
		}
		sendMarks(ctx, &f)
		return check.Run(f)
	}
}

// lookAtKernel adds what the kernel has.
func lookAtKernel(ctx context.Context, d dirSettings, f *check.Facts) error {
	k, err := openKernel(slog.New(slog.DiscardHandler), d, wgkey.Look(d.stateDir))
	if err != nil {
		return err
	}
	defer k.Close()
	dump, err := k.Dump(ctx, false)
	if err != nil {
		return err
	}
	f.Kernel = *dump
	f.Drift, err = driftOf(ctx, k, f.Facts)
	return err
}
