package etcd

import (
	"context"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/lease"
)

// sessions is what this store knows of agents' runs: those that had a lease
// through it, those that have ended, and how often a lease was lost.
type sessions struct {
	mu     sync.Mutex
	held   map[string]bool // by lease.Owner.Session
	ended  []lease.Owner
	isLost bool         // since the last claim
	losses backoff.Pace // of claims after a loss
}

func newSessions() *sessions {
	return &sessions{
		held:   map[string]bool{},
		losses: backoff.Pace{First: time.Second, Most: time.Minute, Calm: 5 * time.Minute},
	}
}

// tell sets what a claim has to know.
func (s *sessions) tell(c *lease.Claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Held = c.Session != "" && s.held[c.Session]
	c.Ended = append(c.Ended, s.ended...)
}

// acquired takes in that a claim got its lease.
func (s *sessions) acquired(c lease.Claim, ended []lease.Owner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Session != "" {
		s.held[c.Session] = true
		s.ended = append(s.ended, ended...)
	}
}

// lost takes in that a lease was lost.
func (s *sessions) lost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isLost = true
}

// pace returns at once, or after a pause that grows if leases are lost again
// and again. The error is ctx's.
func (s *sessions) pace(ctx context.Context) error {
	s.mu.Lock()
	isLost := s.isLost
	s.isLost = false
	s.mu.Unlock()
	if !isLost {
		return ctx.Err()
	}
	return s.losses.Wait(ctx)
}
