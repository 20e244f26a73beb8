package kube

import "context"

// CreateEvent does not wait until the fault has lasted.
func (s *Store) CreateEvent(ctx context.Context, part, text string) error {
	return s.createEvent(ctx, part, text)
}
