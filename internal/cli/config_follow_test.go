package cli

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
)

// silentStore says nothing of the network.
type silentStore struct{ store.Store }

func (silentStore) Follow(ctx context.Context, _ func(store.Update)) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestFollowSaysThatTheStoreIsSilent holds that no host is said to be behind of
// which nothing is known.
func TestFollowSaysThatTheStoreIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := followChange(t.Context(), io.Discard, silentStore{}, netconf.Network{}, 5*time.Second)
		if err == nil || !strings.Contains(err.Error(), "the store has not said within 5s") {
			t.Errorf("got %v", err)
		}
	})
}
