package cli

import (
	"context"
	"log/slog"

	"github.com/weft-net/weft/internal/store"
)

// audible says in the log when its store goes out of reach and when it is
// back, so that an agent that waits says what for.
type audible struct {
	store.Store
	log *slog.Logger
}

// Follow is the store's, and listens in.
func (a *audible) Follow(ctx context.Context, fn func(store.Update)) error {
	down := false
	return a.Store.Follow(ctx, func(u store.Update) {
		switch {
		case u.Err != nil && !down:
			a.log.Warn("the store is out of reach; trying on, and traffic that flows goes on flowing", "error", u.Err)
		case u.Err == nil && down:
			a.log.Info("the store answers again")
		}
		down = u.Err != nil
		fn(u)
	})
}
