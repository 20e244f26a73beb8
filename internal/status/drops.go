package status

import (
	"context"

	"github.com/weft-net/weft/internal/netstate"
)

// guardDrops returns how many packets the guard has dropped, nil if there is
// none or if its rules cannot be read now.
func (b *Board) guardDrops() *uint64 {
	b.mu.Lock()
	desired := b.view.Desired
	b.mu.Unlock()
	if desired == nil || b.opts.Count == nil {
		return nil
	}
	for r := range desired.Firewall.Rules.All() {
		if r.Body.Counter && r.Body.Verdict == netstate.Drop { // the guard's are the only ones
			n, err := b.opts.Count(context.Background(), r.Table, r.Chain)
			if err != nil {
				return nil
			}
			return &n
		}
	}
	return nil
}
