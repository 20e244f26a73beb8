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

	"github.com/google/renameio/v2"

	"github.com/weft-net/weft/internal/lease"
)

const identityFile = "identity.json"

// Load returns who this host is, and makes an identity at the first start in
// stateDir. The directory must be locked, or two agents that start at the same
// time might each make one.
func Load(stateDir, hostname string) (lease.Owner, error) {
	owner, err := Read(stateDir, hostname)
	if !errors.Is(err, fs.ErrNotExist) {
		return owner, err
	}
	owner, err = create(stateDir)
	owner.Hostname, owner.Machine = hostname, machine()
	return Mark(owner), err
}

// Read returns the identity kept in stateDir; fs.ErrNotExist if there is none.
func Read(stateDir, hostname string) (lease.Owner, error) {
	path := filepath.Join(stateDir, identityFile)
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
		return nil, fmt.Errorf("state directory (--state-dir): %w", err)
	}
	dir, err := os.Open(stateDir)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another agent uses the state directory %s; give this one its own with --state-dir: %w", stateDir, err), dir.Close())
	}
	return dir, nil
}

func create(stateDir string) (lease.Owner, error) {
	owner := lease.Owner{ID: rand.Text()}
	data, err := json.Marshal(struct {
		ID string `json:"id"`
	}{owner.ID})
	if err != nil {
		return lease.Owner{}, err
	}
	return owner, renameio.WriteFile(filepath.Join(stateDir, identityFile), append(data, '\n'), 0o600)
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
