package agent

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

	"github.com/weft-net/weft/internal/identity"
	"github.com/weft-net/weft/internal/lease"
)

const identityFile = "identity.json"

// identify returns who this host is, and makes an identity at the first start
// in stateDir.
func identify(stateDir, hostname string) (lease.Owner, error) {
	owner, err := readIdentity(stateDir)
	if errors.Is(err, fs.ErrNotExist) {
		owner, err = newIdentity(stateDir)
	}
	if err != nil {
		return lease.Owner{}, err
	}
	owner.Hostname, owner.Machine = hostname, machine()
	return identity.Mark(owner), nil
}

// readIdentity returns the identity kept in stateDir.
func readIdentity(stateDir string) (lease.Owner, error) {
	path := filepath.Join(stateDir, identityFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return lease.Owner{}, err
	}
	var owner lease.Owner
	if err := json.Unmarshal(data, &owner); err != nil || owner.ID == "" {
		return lease.Owner{}, fmt.Errorf("%s holds no identity; remove it to get a new one", path)
	}
	return owner, nil
}

// lockState keeps a second agent off stateDir. The lock ends with the process.
func lockState(stateDir string) (*os.File, error) {
	dir, err := os.Open(stateDir)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another agent uses the state directory %s; give this one its own with --state-dir: %w", stateDir, err), dir.Close())
	}
	return dir, nil
}

func newIdentity(stateDir string) (lease.Owner, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return lease.Owner{}, fmt.Errorf("state directory: %w", err)
	}
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
