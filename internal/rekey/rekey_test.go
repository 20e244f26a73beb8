package rekey_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/rekey"
	"github.com/weft-net/weft/internal/wgkey"
)

func open(t *testing.T) (*rekey.Keys, *wgkey.Ring) {
	t.Helper()
	ring, err := wgkey.Open(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	return rekey.New(ring, slog.New(slog.DiscardHandler)), ring
}

// TestCommandsShareAReplacement has two commands ask at once: both wait for one new key.
func TestCommandsShareAReplacement(t *testing.T) {
	keys, ring := open(t)
	old := ring.Public()
	answers := make(chan api.Key, 2)
	ask := func() (next netstate.WGKey) {
		go func() {
			k, err := keys.Rotate(t.Context(), 0)
			if err != nil {
				t.Error(err)
			}
			answers <- k
		}()
		return <-keys.Made
	}
	next, again := ask(), ask()
	if next == old || next != again || next != ring.Next() {
		t.Fatal(next, again, old, ring.Next())
	}
	keys.Keep(netstate.WGKey{}) // changes nothing
	keys.Keep(next)
	for range 2 {
		if k := <-answers; !k.Rotated || k.PublicKey != next.String() || k.Next != "" {
			t.Errorf("%+v", k)
		}
	}
}

func TestReplacementThatTakesLonger(t *testing.T) {
	keys, ring := open(t)
	old := ring.Public()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k, err := keys.Rotate(ctx, 0)
	if err != nil || k.Rotated || k.PublicKey != old.String() || k.Next != ring.Next().String() {
		t.Errorf("%+v %v", k, err)
	}
}

func TestYoungKeyStays(t *testing.T) {
	keys, ring := open(t)
	k, err := keys.Rotate(t.Context(), time.Hour)
	if err != nil || k.Rotated || k.Next != "" || k.PublicKey != ring.Public().String() || k.Made.IsZero() {
		t.Errorf("%+v %v", k, err)
	}
}

func TestWithoutAKey(t *testing.T) {
	keys := rekey.New(nil, slog.New(slog.DiscardHandler))
	if _, err := keys.Rotate(t.Context(), 0); err == nil {
		t.Error("no error")
	}
}
