package peerapi

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/check"
)

// Most questions a second, and how long what the checks have found is given to
// further hosts: a check reads all that the kernel knows.
const (
	askRate   = 20
	askBurst  = 40
	checkKept = 10 * time.Second
	checkTime = 8 * time.Second // that a check may take
)

// Check carries out the checks of this host, about whose agent it is told.
type Check func(context.Context, api.Agent) []check.Result

// Answer is what a host says of itself when it is asked for its checks.
type Answer struct {
	Hostname string         `json:"hostname"`
	Version  string         `json:"version"` // of its agent
	State    api.State      `json:"state"`
	Checked  time.Time      `json:"checked"` // by its clock
	Passed   bool           `json:"passed"`  // nothing failed
	Results  []check.Result `json:"results"`
}

// handler answers for a, to a limited number of questions.
func (s *Server) handler(a api.Agent) http.Handler {
	var ask func(context.Context) any
	if s.check != nil {
		ask = (&checker{agent: a, check: s.check}).answer
	}
	inner, limit := api.Remote(a, ask), rate.NewLimiter(askRate, askBurst)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !limit.Allow() {
			api.Busy(w)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// checker has one check run at a time.
type checker struct {
	agent api.Agent
	check Check

	mu   sync.Mutex
	last Answer
}

func (c *checker) answer(ctx context.Context) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.last.Checked) < checkKept {
		return c.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTime) // others may wait for it as well
	defer cancel()
	results, s := c.check(ctx, c.agent), c.agent.Status()
	c.last = Answer{Hostname: s.Hostname, Version: s.Version, State: s.State, Checked: time.Now(), Passed: !check.Fails(results), Results: results}
	return c.last
}
