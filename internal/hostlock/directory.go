package hostlock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// directory is a place's directory while this process has its lock, so that no
// other agent reads or changes it.
type directory struct {
	place
	file *os.File
}

func (d *directory) unlock() { _ = d.file.Close() }

// exists reports whether the directory still has a name.
func (d *directory) exists() bool {
	st, err := stat(d.file)
	return err == nil && st.Nlink > 0
}

// others returns by name what the files of living agents say, except own, and
// removes the files of dead ones.
func (d *directory) others(own *os.File) (map[string]record, error) {
	names, err := d.file.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("host lock: list %s: %w", d.path(), err)
	}
	out := map[string]record{}
	for _, name := range names {
		r, living, err := d.read(name, own)
		if _, held := errors.AsType[*HeldError](err); held {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("host lock: %s: %w", filepath.Join(d.path(), name), err)
		}
		if living {
			out[name] = r
		}
	}
	return out, nil
}

// read returns what a file says if another living agent has it.
func (d *directory) read(name string, own *os.File) (r record, living bool, err error) {
	f, err := d.openFile(name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return r, false, err
	}
	defer f.Close()
	if isSame(f, own) {
		return r, false, nil
	}
	dead, err := tryFlock(f)
	if err != nil {
		return r, false, err
	}
	if dead {
		return r, false, d.remove(name)
	}
	if r, err = readRecord(f); err != nil {
		return r, false, &HeldError{What: fmt.Sprintf("a living process has locked %s, which does not say what it uses (%v)", f.Name(), err), remedy: unknownThings}
	}
	return r, true, nil
}

func isSame(a, b *os.File) bool {
	if a == nil || b == nil {
		return false
	}
	x, errX := a.Stat()
	y, errY := b.Stat()
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func (d *directory) openFile(name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(int(d.file.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return os.NewFile(uintptr(fd), filepath.Join(d.path(), name)), nil
}

// replace puts a locked file with this content in the place of name. It is
// locked before it has the name, so that it is never taken for a dead one.
func (d *directory) replace(name string, data []byte) (_ *os.File, err error) {
	draft := name + ".new"
	f, err := d.openFile(draft, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return nil, fmt.Errorf("host lock: %s: %w", filepath.Join(d.path(), draft), err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("host lock: write %s: %w", f.Name(), err), d.remove(draft), f.Close())
		}
	}()
	if _, err := tryFlock(f); err != nil { // nobody else knows it
		return nil, err
	}
	if _, err := f.Write(data); err != nil {
		return nil, err
	}
	at := int(d.file.Fd())
	if err := unix.Renameat(at, draft, at, name); err != nil {
		return nil, fmt.Errorf("rename to %s: %w", name, err)
	}
	return f, nil
}

func (d *directory) remove(name string) error {
	err := unix.Unlinkat(int(d.file.Fd()), name, 0)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove %s: %w", filepath.Join(d.path(), name), err)
	}
	return nil
}

// removeIfEmpty removes the directory after the last agent has gone.
func (d *directory) removeIfEmpty() error {
	err := unix.Rmdir(d.path())
	if err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove directory %s: %w", d.path(), err)
	}
	return nil
}
