package hostlock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Whoever holds the directory's lock has it for some file operations. One that
// is not given back is a stopped process's.
const (
	lockLimit = 3 * time.Second
	lockPause = 2 * time.Millisecond
)

// place is where an agent's file is: base/dir/name.
type place struct {
	base, dir, name string
	uid             int // owner of the directory
}

func (p place) path() string { return filepath.Join(p.base, p.dir) }

// lock opens the directory, makes it if there is none, and locks it.
func (p place) lock(ctx context.Context) (*directory, error) {
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	for {
		f, err := p.open()
		if errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			continue // the last of other agents removed it meanwhile
		}
		if err != nil {
			return nil, err
		}
		err = flock(ctx, f)
		d := &directory{place: p, file: f}
		switch {
		case err != nil:
			return nil, errors.Join(fmt.Errorf("host lock: another process keeps %s locked: %w", p.path(), err), f.Close())
		case d.exists():
			return d, nil
		}
		d.unlock() // likewise
	}
}

// open returns the directory after it was found to be the user's alone.
func (p place) open() (*os.File, error) {
	if err := os.MkdirAll(p.base, 0o755); err != nil {
		return nil, fmt.Errorf("host lock: %w", err)
	}
	base, err := openDirectory(unix.AT_FDCWD, p.base, p.base)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	if err := p.checkBase(base); err != nil {
		return nil, err
	}
	if err := unix.Mkdirat(int(base.Fd()), p.dir, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("host lock: make directory %s: %w", p.path(), err)
	}
	f, err := openDirectory(int(base.Fd()), p.dir, p.path())
	if err != nil {
		return nil, err
	}
	if err := p.checkOwn(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// checkBase refuses a directory in which others could put something in the
// agents' way.
func (p place) checkBase(f *os.File) error {
	st, err := stat(f)
	if err != nil {
		return err
	}
	if st.Uid != 0 && int(st.Uid) != p.uid {
		return fmt.Errorf("host lock: directory %s belongs to user %d, who could hold up agents: give it to root", p.base, st.Uid)
	}
	if st.Mode&0o022 != 0 {
		return fmt.Errorf("host lock: directory %s can be written by others, who could hold up agents (mode %04o): chmod go-w %s", p.base, st.Mode&0o7777, p.base)
	}
	return nil
}

// checkOwn refuses a directory that is not the user's alone.
func (p place) checkOwn(f *os.File) error {
	st, err := stat(f)
	if err != nil {
		return err
	}
	if int(st.Uid) != p.uid {
		return fmt.Errorf("host lock: directory %s belongs to user %d, not to %d: all agents of a host must run as one user", p.path(), st.Uid, p.uid)
	}
	if st.Mode&0o077 != 0 {
		return fmt.Errorf("host lock: directory %s is open to others (mode %04o): chmod 700 %s", p.path(), st.Mode&0o7777, p.path())
	}
	return nil
}

// openDirectory opens a directory, which errors call path, and follows no
// symbolic link that stands in its place.
func openDirectory(at int, name, path string) (*os.File, error) {
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR):
		return nil, fmt.Errorf("host lock: %s is a symbolic link or a file, and must be a directory: remove it", path)
	case err != nil:
		return nil, fmt.Errorf("host lock: open directory %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

func stat(f *os.File) (st unix.Stat_t, err error) {
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return st, fmt.Errorf("host lock: stat %s: %w", f.Name(), err)
	}
	return st, nil
}

// flock waits until it has the lock of f, or ctx ends.
func flock(ctx context.Context, f *os.File) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		locked, err := tryFlock(f)
		if locked || err != nil {
			return err
		}
		timer.Reset(lockPause)
	}
}

// tryFlock reports whether it got the lock of f; others may have it.
func tryFlock(f *os.File) (bool, error) {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("flock %s: %w", f.Name(), err)
		}
		return true, nil
	}
}
