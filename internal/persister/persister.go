// Package persister keeps on disk what an agent remembers over restarts: its
// own state at once, and the leases soon after they change, in proportion to
// what writing them costs. It knows the file, not what follows from it.
package persister

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/logonce"
	"github.com/weft-net/weft/internal/mailbox"
	"github.com/weft-net/weft/internal/recordfile"
	"github.com/weft-net/weft/internal/sorted"
)

// Persister writes the file. Its methods are safe for concurrent use; its
// fields are set before.
type Persister struct {
	Prepare func() error    // called before the first write until it succeeds; may be nil
	Failed  func(err error) // called with why the last write failed, nil if it did not; returns at once; may be nil

	log   *slog.Logger
	bell  mailbox.Mailbox[struct{}]
	mu    sync.Mutex
	fault logonce.Fault
	file  *recordfile.Writer
	own   map[string]json.RawMessage // as written
	all   lease.Set                  // to be written
	done  lease.Set                  // as written
	burst int                        // records written since memory was given back
}

// The leases are written this long after a change, and then not again for
// costShare times what it took.
const (
	copyDelay  = 200 * time.Millisecond
	retryDelay = 10 * time.Second // after a failure
	costShare  = 50
)

// After a burst of more than manyChanges records, restAfter the last of them,
// the memory that it took is given back.
const (
	manyChanges = 500
	restAfter   = 3 * time.Second
)

// Open reads what earlier runs wrote. What cannot be read is logged, and costs
// itself only.
func Open(path string, log *slog.Logger) (*Persister, intent.Persisted) {
	records, errs := recordfile.Read(path)
	persisted, more := intent.FromRecords(records)
	if err := errors.Join(append(errs, more...)...); err != nil {
		log.Warn("a part of what earlier runs remembered is lost", "error", err)
	}
	return &Persister{
		log: log, bell: mailbox.New[struct{}](), file: recordfile.NewWriter(path, intent.FormatVersion),
		own: map[string]json.RawMessage{}, all: persisted.Snapshot.Leases,
	}, persisted
}

// Leases says which leases there are now.
func (p *Persister) Leases(all lease.Set) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !sorted.Same(p.all, all) {
		p.all = all
		p.bell.Put(struct{}{})
	}
}

// Write writes the agent's own state. It is on disk when it returns.
func (p *Persister) Write(own *intent.Persisted) {
	p.mu.Lock()
	defer p.mu.Unlock()
	records, err := own.Records()
	if err != nil {
		p.report(err)
		return
	}
	var changes []recordfile.Record
	for key, value := range records {
		if !bytes.Equal(p.own[key], value) {
			changes = append(changes, recordfile.Record{Key: key, Value: value})
		}
	}
	for key := range p.own {
		if records[key] == nil {
			changes = append(changes, recordfile.Record{Key: key})
		}
	}
	p.own = records
	p.report(p.write(changes))
}

// write wants p.mu held.
func (p *Persister) write(changes []recordfile.Record) error {
	if p.Prepare != nil {
		if err := p.Prepare(); err != nil {
			return err
		}
		p.Prepare = nil
	}
	return p.file.Write(changes, p.everything)
}

// Run writes the leases until ctx ends, and what is left then.
func (p *Persister) Run(ctx context.Context) error {
	pause := copyDelay
	rest := time.NewTimer(restAfter)
	defer rest.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-p.bell:
			if wait(ctx, pause) {
				pause = p.copy()
				rest.Reset(restAfter)
			}
		case <-rest.C:
			p.rest()
		}
	}
	p.copy()
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.file.Close(), ctx.Err())
}

// rest gives memory back after a burst. Starting, and many changes, leave several
// times the memory behind that the agent needs at rest. The runtime would keep
// it, since nothing more is allocated for hours.
func (p *Persister) rest() {
	p.mu.Lock()
	many := p.burst > manyChanges
	p.burst = 0
	p.mu.Unlock()
	if many {
		debug.FreeOSMemory()
	}
}

// copy writes the leases that have changed, and returns the pause before the
// next time.
func (p *Persister) copy() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.own) == 0 || sorted.Same(p.done, p.all) && !p.fault.Active() {
		return copyDelay // without its own state a host cannot go by the leases
	}
	start := time.Now()
	changes, err := changesOf(p.done, p.all)
	if err == nil {
		err = p.write(changes)
	}
	p.done = p.all
	p.burst += len(changes)
	p.report(err)
	if err != nil {
		return retryDelay
	}
	return max(copyDelay, costShare*time.Since(start))
}

// changesOf returns the records that lead from old to new.
func changesOf(old, new lease.Set) ([]recordfile.Record, error) {
	var out []recordfile.Record
	for c := range sorted.Diff(old, new) {
		l := c.New
		if l == nil {
			l = c.Old
		} else if c.Old != nil && c.Old.Same(*c.New) {
			continue
		}
		key, value, err := intent.LeaseRecord(*l)
		if err != nil {
			return nil, err
		}
		if c.New == nil {
			value = nil
		}
		out = append(out, recordfile.Record{Key: key, Value: value})
	}
	return out, nil
}

// everything returns all records.
func (p *Persister) everything() []recordfile.Record {
	var out []recordfile.Record
	for key, value := range p.own {
		out = append(out, recordfile.Record{Key: key, Value: value})
	}
	leases, err := changesOf(lease.Set{}, p.all)
	p.report(err)
	p.done, p.burst = p.all, p.burst+len(leases)
	return append(out, leases...)
}

// report logs a failure, and sees to it that everything is written once that
// works again.
func (p *Persister) report(err error) {
	p.fault.Report(p.log, slog.LevelWarn, err, "cannot write to the state directory (--state-dir); a reboot while the store is unreachable would lose the network", "the state directory is written again")
	if p.Failed != nil {
		p.Failed(err)
	}
	if err != nil {
		p.bell.Put(struct{}{})
	}
}

// wait waits and reports whether ctx still stands.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
