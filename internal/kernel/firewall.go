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
	old, err := k.xt.Barriers(ctx)
	if err != nil {
		k.log.Warn("iptables-legacy tables are in use, but do not show", "error", err)
	}
	found = append(found, old...)
	slices.SortFunc(found, host.Barrier.Compare)
	return found, nil
}

// rules reads the firewall's rows.
func (k *Kernel) rules(ctx context.Context, scope netstate.Scope) (netstate.Firewall, error) {
	found, err := k.nft.Observe(ctx, scope)
	if err != nil {
		return found, err
	}
	scope.Tables = slices.Clone(scope.Tables)
	for _, t := range found.Tables {
		scope.Tables = append(scope.Tables, t.Name)
	}
	old, err := k.xt.Observe(ctx, scope)
	if err != nil {
		k.log.Warn("iptables-legacy tables are in use, but do not show", "error", err)
	}
	found.Foreign = append(found.Foreign, old.Foreign...)
	found.Leftovers = append(found.Leftovers, old.Leftovers...)
	return found, nil
}

// isLegacy reports whether only the iptables-legacy program can write r.
func isLegacy(r netstate.Row) bool {
	switch r := r.(type) {
	case netstate.Foreign:
		return r.Via == netstate.ViaLegacy
	case netstate.Leftover:
		return r.Via == netstate.ViaLegacy
	}
	return false
}

// legacy carries out ops on rows that isLegacy is true of.
func (k *Kernel) legacy(ctx context.Context, ops []netstate.Op, errs []error) {
	for i, op := range ops {
		errs[i] = refused(op, k.xt.Apply(ctx, op))
	}
}
