package holder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrRunning says that another lab is held already.
var ErrRunning = errors.New("a lab is already running")

// ErrNotRunning says that no lab is held.
var ErrNotRunning = errors.New("no lab is running")

// Place is the user's directory for the held lab: its socket, lock and log.
type Place struct {
	dir string
}

// Find returns the user's place, making its directory if need be: weft-lab in runtimeDir, which is
// $XDG_RUNTIME_DIR, or if that is "" one in the system's directory for temporary files that only
// the user can enter.
func Find(runtimeDir string) (Place, error) {
	dir := filepath.Join(runtimeDir, "weft-lab")
	if runtimeDir == "" {
		dir = filepath.Join(os.TempDir(), "weft-lab-"+strconv.Itoa(os.Getuid()))
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return Place{}, fmt.Errorf("make the lab's runtime directory: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return Place{}, fmt.Errorf("check the lab's runtime directory: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || info.Mode().Perm() != 0o700 || int(stat.Uid) != os.Getuid() {
		return Place{}, fmt.Errorf("%s is not a directory that only you can enter: remove it, or set XDG_RUNTIME_DIR", dir)
	}
	return Place{dir: dir}, nil
}

// Socket is the path of the unix socket.
func (p Place) Socket() string { return filepath.Join(p.dir, "lab.sock") }

// Log is the path of the holder's log.
func (p Place) Log() string { return filepath.Join(p.dir, "lab.log") }

// Lock takes the right to hold the user's one lab, ErrRunning if another process has it. The right
// lasts until the file, and every copy of it that other processes inherited, is closed.
func (p Place) Lock() (*os.File, error) {
	file, err := p.openLock()
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrRunning
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// AwaitEnd waits until nobody holds a lab any more.
func (p Place) AwaitEnd() error {
	file, err := p.openLock()
	if err != nil {
		return err
	}
	for {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			return errors.Join(err, file.Close())
		}
	}
}

func (p Place) openLock() (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(p.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lab's lock: %w", err)
	}
	return file, nil
}
