package agent

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// diary writes the agent's memory to disk, at most once in diaryPause, so
// that a burst of changes costs one write. Where there is no copy yet, the
// first is written at once: a host may lose its power as soon as it is ready.
type diary struct {
	dir   string
	blank bool // there is no copy yet
	pages latest[memory]
	log   *slog.Logger

	mu   sync.Mutex
	last int // number of the newest page written
}

const (
	diaryDelay = time.Second // first the kernel is brought up to the plan
	diaryPause = 3 * time.Second
)

func newDiary(dir string, blank bool, log *slog.Logger) *diary {
	return &diary{dir: dir, blank: blank, pages: newLatest[memory](), log: log}
}

func (d *diary) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return d.flush(ctx.Err())
		case m := <-d.pages:
			if !d.blank {
				sleep(ctx, diaryDelay)
			}
			d.write(d.newest(m))
			d.blank = false
		}
		if !sleep(ctx, diaryPause) {
			return d.flush(ctx.Err())
		}
		if len(d.pages) == 0 {
			// Starting, and a burst of changes, leave several times the memory
			// behind that the agent needs at rest. The runtime would keep it,
			// since nothing more is allocated for hours.
			debug.FreeOSMemory()
		}
	}
}

// newest returns the page that waits, else m.
func (d *diary) newest(m memory) memory {
	select {
	case newer := <-d.pages:
		return newer
	default:
		return m
	}
}

// flush writes the page that waits, if one does.
func (d *diary) flush(err error) error {
	select {
	case m := <-d.pages:
		d.write(m)
	default:
	}
	return err
}

// write writes a page, unless a newer one stands there.
func (d *diary) write(m memory) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m.page < d.last {
		return
	}
	d.last = m.page
	if err := m.save(d.dir); err != nil {
		d.log.Warn("the copy of the snapshot was not written; a reboot without the store would lose the network", "error", fmt.Errorf("%s: %w", d.dir, err))
	}
}
