package kernel

import (
	"context"
	"slices"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netstate"
)

// Barriers implements host.Source.
func (k *Kernel) Barriers(ctx context.Context) ([]host.Barrier, error) {
	found, err := k.nft.Barriers(ctx)
	if err != nil {
		return nil, err
	}
	found = append(found, k.legacy.readBarriers(ctx)...)
	slices.SortFunc(found, host.Barrier.Compare)
	return found, nil
}

// rules reads the firewall's rows.
func (k *Kernel) rules(ctx context.Context, scope netstate.Scope) (netstate.FirewallBuilder, error) {
	found, err := k.nft.Observe(ctx, scope)
	if err != nil {
		return found, err
	}
	var tables []string
	for _, t := range found.Tables {
		tables = append(tables, t.Name)
	}
	old := k.legacy.observe(ctx, scope.WithTables(tables...))
	found.HookRules = append(found.HookRules, old.HookRules...)
	found.Leftovers = append(found.Leftovers, old.Leftovers...)
	return found, nil
}
