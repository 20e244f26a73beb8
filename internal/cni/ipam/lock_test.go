package ipam

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
)

func TestAnOwnerIsHeldByOne(t *testing.T) {
	dir := t.TempDir()
	other, err := open(t, dir).Hold(t.Context(), numbered(2))
	if err != nil {
		t.Fatal(err)
	}
	defer other()
	var group errgroup.Group
	var holders atomic.Int32
	for range 8 {
		group.Go(func() error {
			s, err := Open(t.Context(), dir) // as each process does
			for range 100 {
				release, holdErr := s.Hold(t.Context(), numbered(1))
				if err = errors.Join(err, holdErr); err != nil {
					return err
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d hold one owner", n)
				}
				runtime.Gosched()
				holders.Add(-1)
				release()
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// TestLinksAreNotFollowed: a link that somebody put in the lock's place is not
// a way to have other files written.
func TestLinksAreNotFollowed(t *testing.T) {
	s := open(t, t.TempDir())
	victim := t.TempDir() + "/victim"
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(s.lockFile()), os.Symlink(victim, s.lockFile())); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Allocate(t.Context(), numbered(1), "net", both); err == nil || !strings.Contains(err.Error(), s.lockFile()) {
		t.Errorf("got %v, want an error that names it", err)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
		t.Errorf("the file that it leads to holds %q now, %v", text, err)
	}
}

// TestWaitEndsWithTheContext for either lock, and the error names who holds it.
func TestWaitEndsWithTheContext(t *testing.T) {
	s, o := open(t, t.TempDir()), numbered(1)
	release, err := s.Hold(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	all, err := s.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = all.Close() }() // nothing was written
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the runtime gave up"))
	_, holdErr := s.Hold(ctx, o)
	_, takeErr := s.Allocate(ctx, o, "net", both)
	for _, err := range []error{holdErr, takeErr} {
		_, locked := errors.AsType[*LockedError](err)
		for _, want := range []string{s.lockFile(), fmt.Sprintf("process %d (", os.Getpid()), "the runtime gave up"} {
			if !locked || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want a LockedError that says %q", err, want)
			}
		}
	}
}
