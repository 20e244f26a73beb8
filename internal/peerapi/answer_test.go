package peerapi

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/api"
)

type silent struct{ api.Agent }

func (silent) Paths() []api.PeerPath { return nil }

func TestQuestionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(nil, slog.New(slog.DiscardHandler)).handler(silent{})
		ask := func(path string) int {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
			return rec.Code
		}
		for i := range askBurst {
			if code := ask("/v1/paths"); code != http.StatusOK {
				t.Fatalf("question %d: %d", i, code)
			}
		}
		if code := ask("/v1/paths"); code != http.StatusTooManyRequests {
			t.Errorf("one question too many: %d", code)
		}
		time.Sleep(time.Second)
		if code := ask("/v1/paths"); code != http.StatusOK {
			t.Errorf("a second later: %d", code)
		}
		for _, path := range []string{"/v1/plan", "/v1/events", "/metrics", api.PathCheck} { // this host has no checks
			if code := ask(path); code != http.StatusNotFound {
				t.Errorf("%s: %d", path, code)
			}
		}
	})
}
