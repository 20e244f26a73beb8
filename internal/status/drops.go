package status

import (
	"context"

	"github.com/weft-net/weft/internal/netstate"
)

// guardDrops returns how many packets the guard has dropped, nil if there is
// none or if its rules cannot be read now.
func (b *Board) guardDrops() *uint64 {
	return b.counted(func(r netstate.Body) bool { return r.Verdict == netstate.Drop }) // the guard's are the only ones
}

// counted returns what the rules of a chain have counted, the first that has a rule
// with a counter that is one; nil if none has, or if it cannot be read now.
func (b *Board) counted(is func(netstate.Body) bool) *uint64 {
	desired := b.desired()
	if desired == nil || b.opts.Count == nil {
		return nil
	}
	for r := range desired.Firewall.Rules.All() {
		if r.Body.Counter && is(r.Body) {
			n, err := b.opts.Count(context.Background(), r.Table, r.Chain)
			if err != nil {
				return nil
			}
			return &n
		}
	}
	return nil
}
