package kube

import "context"

// Tell makes an Event at once, without waiting for the fault to stand.
func (s *Store) Tell(ctx context.Context, part, text string) error { return s.tell(ctx, part, text) }
