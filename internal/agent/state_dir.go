package agent

import (
	"fmt"
	"os"

	"github.com/weft-net/weft/internal/identity"
)

// What a host does without while its state directory cannot be written.
const (
	lostCopy     = "the copy of config and leases, without which this host has no network after a restart while the store is unreachable"
	lostIdentity = "; this host's identity, without which it is recognized after a restart, and keeps its subnet, only by its address, hostname and machine id together"
)

// watchStateDir has status tell what is lost while the state directory cannot
// be written. unsaved is why this host's identity, id, could not be kept, nil if
// it was; it is kept as soon as that works. The network does without, as
// flanneld's does.
func (a *agent) watchStateDir(id string, unsaved *identity.UnsavedError) {
	lost := lostCopy
	a.memory.Failed = func(err error) { a.board.StateDir(stateDirFault(a.opts.StateDir, lost, err)) }
	if unsaved == nil {
		return
	}
	lost += lostIdentity
	a.memory.Failed(unsaved.Err)
	a.memory.Prepare = func() (err error) {
		_ = closeLock(a.lock) // of a directory that may be another one by now
		if a.lock, err = identity.Save(a.opts.StateDir, id); err == nil {
			lost = lostCopy
		}
		return err
	}
}

func stateDirFault(dir, lost string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s cannot be written (%w). Not kept: %s. Make it writable or free space there, or name another directory with --state-dir", dir, err, lost)
}

func closeLock(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}
