package status

import (
	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netstate"
)

// fastPath returns what the fast path has carried, nil if there is none or if it
// cannot be read now.
func (b *Board) fastPath() *api.FastPath {
	desired := b.desired()
	if desired == nil || b.opts.FastPath == nil {
		return nil
	}
	for path := range desired.Fast.Paths.All() {
		fast, slow, err := b.opts.FastPath(path.Name)
		if err != nil {
			return nil
		}
		return &api.FastPath{Mode: path.Mode, Fast: fast, Slow: slow}
	}
	return nil
}

// desired is the state as it is wanted now, nil before there is one.
func (b *Board) desired() *netstate.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.view.Desired
}
