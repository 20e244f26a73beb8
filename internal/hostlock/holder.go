package hostlock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// HeldError says that another agent uses what was to be held, or may do so.
type HeldError struct {
	What     string // in words
	PID      int    // of the other agent, in its own PID namespace; 0: unknown
	StateDir string // likewise its state directory, as it names it
	remedy   string
}

// Error names the object, the other agent and what to do.
func (e *HeldError) Error() string { return e.What + ": " + e.remedy }

const (
	ownThings     = "two networks on one host need a range of addresses and a VNI each, or without VNIs an --nft-table each"
	unknownThings = "stop that process, or run the same version of weft in its place"
	ownIdentity   = "stop one of the two, or give this one a state directory of its own with --state-dir"
)

// Agent says who holds.
type Agent struct {
	ID       string // differs between any two agents
	StateDir string // named to operators
}

// Holder holds an agent's things. Its methods must not be called concurrently.
type Holder struct {
	place
	who  Agent
	file *os.File // locked; nil: nothing is held
	held Things
}

// Open prepares to hold things of the network namespace that the calling thread
// is in. Files go to a directory below base, which Hold makes if there is none.
// All agents of a network namespace must be given the same base, and run as
// the same user.
func Open(base string, who Agent) (*Holder, error) {
	if who.ID == "" {
		return nil, errors.New("host lock: an agent needs an id")
	}
	namespace, err := namespaceName()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(who.ID))
	return &Holder{
		place: place{base: filepath.Clean(base), dir: namespace, name: "agent-" + hex.EncodeToString(sum[:8]) + ".json", uid: os.Geteuid()},
		who:   who,
	}, nil
}

// namespaceName names the network namespace of the calling thread alike for all
// processes, whatever files they see.
func namespaceName() (string, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return "", fmt.Errorf("host lock: tell the network namespace: %w", err)
	}
	return fmt.Sprintf("netns-%d-%d", st.Dev, st.Ino), nil
}

// Hold makes t what this agent holds, instead of what it held before. If another
// agent holds some of it, the error is a *HeldError and what was held before is
// kept. To hold the same again costs nothing.
func (h *Holder) Hold(ctx context.Context, t Things) error {
	t, err := t.normal()
	if err != nil {
		return err
	}
	if h.file != nil && h.held.equal(t) {
		return nil
	}
	d, err := h.lock(ctx)
	if err != nil {
		return err
	}
	defer d.unlock()
	others, err := d.others(h.file)
	if err != nil {
		return err
	}
	if err := h.free(t, others); err != nil {
		return err
	}
	data, err := newRecord(h.who.StateDir, t).encode()
	if err != nil {
		return fmt.Errorf("host lock: %w", err)
	}
	file, err := d.replace(h.name, data)
	if err != nil {
		return err
	}
	if h.file != nil {
		_ = h.file.Close() // the former file has no name any more
	}
	h.file, h.held = file, t
	return nil
}

// free returns an error if somebody else holds some of t.
func (h *Holder) free(t Things, others map[string]record) error {
	for _, name := range slices.Sorted(maps.Keys(others)) {
		o := others[name]
		if name == h.name {
			return &HeldError{What: "this agent's identity is used by " + o.agent(), PID: o.PID, StateDir: o.StateDir, remedy: ownIdentity}
		}
		if what := t.conflict(o.Things); what != "" {
			return &HeldError{What: what + " " + o.agent(), PID: o.PID, StateDir: o.StateDir, remedy: ownThings}
		}
	}
	return nil
}

// Close gives up all that is held.
func (h *Holder) Close() error {
	if h.file == nil {
		return nil
	}
	file := h.file
	h.file, h.held = nil, Things{}
	d, err := h.lock(context.Background())
	if err != nil {
		// What is left is a file without a lock, which the next agent removes.
		return errors.Join(err, file.Close())
	}
	defer d.unlock()
	return errors.Join(d.remove(h.name), file.Close(), d.removeIfEmpty())
}
