package cli

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/store"
)

// scripted is a store that only ever reports what it was told to.
type scripted struct {
	store.Store
	updates []store.Update
}

func (s *scripted) Follow(_ context.Context, fn func(store.Update)) error {
	for _, u := range s.updates {
		fn(u)
	}
	return nil
}

func TestOutagesAreSaidOnce(t *testing.T) {
	var log bytes.Buffer
	up, down := store.Update{Snapshot: &store.Snapshot{}}, store.Update{Err: errors.New("refused")}
	st := &audible{
		Store: &scripted{updates: []store.Update{down, down, up, up, down, up}},
		log:   slog.New(slog.NewTextHandler(&log, nil)),
	}
	passed := 0
	if err := st.Follow(t.Context(), func(store.Update) { passed++ }); err != nil {
		t.Fatal(err)
	}
	if passed != 6 {
		t.Errorf("%d of 6 updates were handed on", passed)
	}
	if n := strings.Count(log.String(), "out of reach"); n != 2 {
		t.Errorf("two outages were said %d times:\n%s", n, &log)
	}
	if n := strings.Count(log.String(), "answers again"); n != 2 {
		t.Errorf("two returns were said %d times:\n%s", n, &log)
	}
}
