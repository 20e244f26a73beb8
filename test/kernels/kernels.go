package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/weft-net/weft/test/kernels/debian"
)

// runOn runs the suites on the kernels of these series, some at once, and
// returns how they went on each. All kernels are fetched before the first
// guest starts.
func (b *base) runOn(ctx context.Context, cache *debian.Cache, m machine, series []string) ([]column, error) {
	columns, failed := make([]column, len(series)), make([]error, len(series))
	kernels := make([]debian.Kernel, len(series))
	for n, name := range series {
		kernels[n], failed[n] = cache.Kernel(ctx, name)
		columns[n].version = name
	}
	var guests errgroup.Group
	guests.SetLimit(b.atOnce)
	for n, name := range series {
		if failed[n] != nil {
			continue
		}
		guests.Go(func() error {
			r := newReport(os.Stdout)
			if b.atOnce > 1 {
				r.kernel = name
			}
			failed[n] = b.runIn(ctx, m, kernels[n], r)
			columns[n] = column{kernels[n].Version, r.results}
			return nil
		})
	}
	_ = guests.Wait() // what failed is in failed
	for n, name := range series {
		if failed[n] != nil {
			failed[n] = fmt.Errorf("linux %s: %w", name, failed[n])
		}
	}
	return columns, errors.Join(failed...)
}
