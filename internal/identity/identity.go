package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/recordfile"
)

const identityFile = "identity.json"

// File is the path of the identity in a state directory.
func File(stateDir string) string { return filepath.Join(stateDir, identityFile) }

// UnsavedError says that an identity was made and could not be kept.
type UnsavedError struct {
	Dir string // the state directory
	Err error
}

// Error names the directory and its flag.
func (e *UnsavedError) Error() string {
	return fmt.Sprintf("state directory %s (--state-dir): %v", e.Dir, e.Err)
}

// Unwrap returns the cause.
func (e *UnsavedError) Unwrap() error { return e.Err }

// Open returns who this host is, and makes an identity at the first start in
// stateDir, which stays locked until the file is closed. With an *UnsavedError
// the identity is good for this run and the file may be nil: Save tries again.
func Open(stateDir, hostname string) (lease.Owner, *os.File, error) {
	lock, unsaved := Lock(stateDir)
	if _, other := errors.AsType[*InUseError](unsaved); other {
		return lease.Owner{}, nil, unsaved
	}
	owner, err := Read(stateDir, hostname)
	if unsaved == nil && err != nil && !errors.Is(err, fs.ErrNotExist) {
		return lease.Owner{}, nil, errors.Join(err, lock.Close())
	}
	if err == nil {
		return owner, lock, nil
	}
	owner = Mark(lease.Owner{ID: rand.Text(), Hostname: hostname, Machine: machine()})
	if unsaved == nil {
		unsaved = write(stateDir, owner.ID)
	}
	if unsaved != nil {
		return owner, lock, &UnsavedError{Dir: stateDir, Err: unsaved}
	}
	return owner, lock, nil
}

// Save keeps an identity that Open could not keep, and returns the directory's
// lock. One that is there by now, as on a file system that was mounted late,
// stays and is for the next start.
func Save(stateDir, id string) (*os.File, error) {
	lock, err := Lock(stateDir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(File(stateDir)); err == nil {
		return lock, nil
	}
	if err := write(stateDir, id); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// InUseError says that another agent uses a state directory.
type InUseError struct{ Dir string }

// Error names the directory and what to do.
func (e *InUseError) Error() string {
	return fmt.Sprintf("another agent uses the state directory %s; give this one its own with --state-dir", e.Dir)
}

// Read returns the identity kept in stateDir; fs.ErrNotExist if there is none.
func Read(stateDir, hostname string) (lease.Owner, error) {
	path := File(stateDir)
	data, err := os.ReadFile(path)
	if err != nil {
		return lease.Owner{}, err
	}
	var owner lease.Owner
	if err := json.Unmarshal(data, &owner); err != nil || owner.ID == "" {
		return lease.Owner{}, fmt.Errorf("%s holds no identity; remove it to get a new one", path)
	}
	owner.Hostname, owner.Machine = hostname, machine()
	return Mark(owner), nil
}

// Lock keeps a second agent off stateDir, which it makes if need be. The lock
// ends with the process, or when the file is closed.
func Lock(stateDir string) (*os.File, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.Open(stateDir)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(&InUseError{Dir: stateDir}, dir.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", stateDir, err), dir.Close())
	}
	return dir, nil
}

func write(stateDir, id string) error {
	data, err := json.Marshal(struct {
		ID string `json:"id"`
	}{id})
	if err != nil {
		return err
	}
	return recordfile.Replace(File(stateDir), append(data, '\n'))
}

// machine returns a hash of the machine id, so that the id itself, which
// machine-id(5) calls confidential, never leaves the host; "" without one.
func machine() string {
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil || strings.TrimSpace(string(id)) == "" {
		return ""
	}
	sum := sha256.Sum256(append([]byte("weft machine "), id...))
	return hex.EncodeToString(sum[:12])
}
