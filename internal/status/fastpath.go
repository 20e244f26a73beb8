package status

import "github.com/weft-net/weft/internal/api"

// fastPath returns what the fast path has carried, nil if there is none or if it
// cannot be read now.
func (b *Board) fastPath() *api.FastPath {
	b.mu.Lock()
	desired := b.view.Desired
	b.mu.Unlock()
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
