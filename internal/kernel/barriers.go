package kernel

import (
	"context"

	"github.com/weft-net/weft/internal/host"
)

// Barriers implements host.Source.
func (k *Kernel) Barriers(ctx context.Context) ([]host.Barrier, error) {
	return k.nft.Barriers(ctx)
}
