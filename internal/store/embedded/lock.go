package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// lockDir makes dir if need be, for its owner only, and takes it for this
// process until the returned file is closed. etcd has a lock of its own, but
// waits for it, and removes the other's socket first.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded etcd: making its directory, below the state directory (--state-dir): %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded etcd: closing its directory to others: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded etcd: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("embedded etcd: directory %s is in use by %s; stop that process, or give this one a directory of its own with --state-dir", dir, holder(f))
		}
		return nil, fmt.Errorf("embedded etcd: locking %s: %w", f.Name(), err)
	}
	if err := errors.Join(f.Truncate(0), writePID(f)); err != nil {
		f.Close()
		return nil, fmt.Errorf("embedded etcd: writing %s: %w", f.Name(), err)
	}
	return f, nil
}

func writePID(f *os.File) error {
	_, err := fmt.Fprintf(f, "%d\n", os.Getpid())
	return err
}

// holder names the process that has the lock, as well as the file tells.
func holder(f *os.File) string {
	text, err := os.ReadFile(f.Name())
	pid := strings.TrimSpace(string(text))
	if err != nil || pid == "" {
		return "another weft"
	}
	return "another weft, process " + pid
}
