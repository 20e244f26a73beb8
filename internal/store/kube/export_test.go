package kube

import (
	"context"
	"time"
)

// CreateEvent does not wait until the fault has lasted.
func (s *Store) CreateEvent(ctx context.Context, part, text string) error {
	return s.createEvent(ctx, part, text)
}

// Failed says that this host cannot be reached since a time.
func (s *Store) Failed(err error, since time.Time) { s.reach.set(err, since) }
