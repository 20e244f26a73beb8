package ipam

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/backoff"
)

// All locks are of one file. The kernel releases those of a process that dies.
func (s *Store) lockFile() string { return filepath.Join(s.dir, "lock") }

func (s *Store) openLock() (*os.File, error) {
	f, err := os.OpenFile(s.lockFile(), os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, s.failed(err)
	}
	return f, nil
}

// lock waits until no other process allocates addresses. Closing the file
// releases the lock.
func (s *Store) lock(ctx context.Context) (*os.File, error) {
	f, err := s.openLock()
	if err != nil {
		return nil, err
	}
	err = s.wait(ctx, f, wholeFile, func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Hold waits until no other process holds o. The caller may change o's network
// until it calls release: a DEL must not overtake an ADD that is still running
// although its runtime is gone. Other owners do not wait.
func (s *Store) Hold(ctx context.Context, o Owner) (release func(), err error) {
	f, err := s.openLock()
	if err != nil {
		return nil, err
	}
	// Each owner locks one byte of the file, at a hash of its name. The file
	// need not be that long.
	at := offset(o)
	err = s.wait(ctx, f, at, func() error {
		return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1})
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // nothing was written
}

// offset is the byte of the lock file that stands for an owner.
func offset(o Owner) int64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, o.name()) // a hash accepts everything
	return int64(h.Sum64() >> 2)
}

// wait repeats try, which must not block, until it gets the lock or ctx ends.
// A lock call that blocks could not be cancelled.
func (s *Store) wait(ctx context.Context, f *os.File, at int64, try func() error) error {
	pause := backoff.Backoff{First: time.Millisecond, Most: 50 * time.Millisecond}
	for {
		err := try()
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES):
			return s.failed(err)
		}
		if pause.Wait(ctx) != nil {
			return &LockedError{File: s.lockFile(), Holder: holder(f, at), Cause: context.Cause(ctx)}
		}
	}
}

// LockedError says that the context of a call ended before it got a lock.
type LockedError struct {
	File   string
	Holder string // process that holds the lock; "" if that is unknown
	Cause  error
}

// Error names the lock file and the process that holds the lock.
func (e *LockedError) Error() string {
	by := "another process"
	if e.Holder != "" {
		by = e.Holder
	}
	return fmt.Sprintf("wait for the lock %s, held by %s: %v", e.File, by, e.Cause)
}

// Unwrap returns the reason why the wait ended.
func (e *LockedError) Unwrap() error { return e.Cause }
