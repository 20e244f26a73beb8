package ipam

import (
	"errors"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// All locks are of one file. A process that dies gives them back.
func (s *Store) lockFile() string { return filepath.Join(s.dir, "lock") }

func (s *Store) openLock() (*os.File, error) {
	f, err := os.OpenFile(s.lockFile(), os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, s.failed(err)
	}
	return f, nil
}

// lock waits until no other process gives out addresses. Closing the file ends
// that.
func (s *Store) lock() (*os.File, error) {
	f, err := s.openLock()
	if err != nil {
		return nil, err
	}
	return s.locked(f, func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX) })
}

// Hold waits until nobody else holds o, whose network is then the caller's to
// change until it calls release: a DEL must not overtake an ADD that goes on
// although its runtime is gone. Other owners are not held up.
func (s *Store) Hold(o Owner) (release func(), err error) {
	f, err := s.openLock()
	if err != nil {
		return nil, err
	}
	// A byte of the file for each owner, out of so many that no two meet; the
	// file need not have it.
	spot := unix.Flock_t{Type: unix.F_WRLCK, Start: place(o), Len: 1}
	f, err = s.locked(f, func() error { return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLKW, &spot) })
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil // nothing was written
}

// place is where in the file an owner's lock is.
func place(o Owner) int64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, o.name()) // a hash takes all
	return int64(h.Sum64() >> 2)
}

// locked waits for a lock of f, and closes f if there is none to be had.
func (s *Store) locked(f *os.File, wait func() error) (*os.File, error) {
	var err error = unix.EINTR
	for err == unix.EINTR {
		err = wait()
	}
	if err != nil {
		return nil, errors.Join(s.failed(err), f.Close())
	}
	return f, nil
}
