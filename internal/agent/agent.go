package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/store"
)

// Run is a running agent: it leases a subnet, follows the store and the host,
// and keeps the kernel equal to the plan, until ctx ends. Traffic then flows
// on. It returns nil after an ordered end; an error means that it could not
// start, or that its own parts failed, never that the store or a peer did.
func Run(ctx context.Context, o Options) error {
	if o.Resync == 0 {
		o.Resync = DefaultResync
	}
	owner, err := identify(o.StateDir, o.Hostname)
	if err != nil {
		return err
	}
	mem, err := recall(o.StateDir)
	if err != nil {
		o.Log.Warn("starting without a copy of the last snapshot", "error", err)
	}
	socket, err := api.Listen(filepath.Join(o.RunDir, api.SocketName))
	if err != nil {
		return err
	}
	b := newBoard(o)
	s := newSteerer(o, owner, mem, b)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return api.Serve(ctx, socket, api.Local(b)) })
	if o.HealthAddr.Port() != 0 {
		ln, err := api.ListenHealth(o.HealthAddr)
		if err != nil {
			return errors.Join(err, socket.Close())
		}
		group.Go(func() error { return api.Serve(ctx, ln, api.Health(b)) })
	}
	group.Go(func() error { return follow(ctx, o.Store, s, b) })
	group.Go(func() error { return s.keeper.run(ctx) })
	group.Go(func() error { return s.loop.Run(ctx, s.wants) })
	group.Go(func() error { return s.run(ctx) })
	group.Go(func() error { return s.diary.run(ctx) })
	err = group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// follow hands snapshots to the steerer and news of outages to the board.
func follow(ctx context.Context, st store.Store, s *steerer, b *board) error {
	return st.Follow(ctx, func(u store.Update) {
		b.store(u.Err)
		if u.Snapshot != nil {
			s.snapshots.put(*u.Snapshot)
			return
		}
		s.outage.put(u.Err)
	})
}

// newSteerer builds the parts and ties them together.
func newSteerer(o Options, owner lease.Owner, mem memory, b *board) *steerer {
	s := &steerer{
		opts:      o,
		owner:     owner,
		memory:    mem,
		board:     b,
		log:       o.Log,
		snapshots: newLatest[store.Snapshot](),
		outage:    newLatest[error](),
		facts:     newLatest[struct{}](),
		wants:     newLatest[reconcile.Want](),
		diary:     newDiary(o.StateDir, o.Log),
	}
	s.keeper = &keeper{
		store:  o.Store,
		margin: o.RenewMargin,
		log:    o.Log,
		claims: newLatest[claim](),
		leases: newLatest[lease.Lease](),
		state:  b.holding,
	}
	s.loop = &reconcile.Loop{
		Kernel: o.Kernel,
		Log:    o.Log,
		Resync: o.Resync,
		Report: s.passed,
		Facts:  func() { s.facts.put(struct{}{}) },
	}
	return s
}

// diary writes the agent's memory to disk, at most once in diaryPause, so
// that a burst of changes costs one write.
type diary struct {
	dir   string
	pages latest[memory]
	log   interface{ Warn(string, ...any) }
}

const diaryPause = 3 * time.Second

func newDiary(dir string, log interface{ Warn(string, ...any) }) *diary {
	return &diary{dir: dir, pages: newLatest[memory](), log: log}
}

func (d *diary) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return d.flush(ctx.Err())
		case m := <-d.pages:
			d.write(m)
		}
		if !sleep(ctx, diaryPause) {
			return d.flush(ctx.Err())
		}
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

func (d *diary) write(m memory) {
	if err := m.save(d.dir); err != nil {
		d.log.Warn("the copy of the snapshot was not written; a reboot without the store would lose the network", "error", fmt.Errorf("%s: %w", d.dir, err))
	}
}
