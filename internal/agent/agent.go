package agent

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

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
	s, err := prepare(o)
	if err != nil {
		return err
	}
	lock, err := lockState(o.StateDir)
	if err != nil {
		return err
	}
	defer lock.Close() // nothing was written to it
	socket, err := api.Listen(filepath.Join(o.RunDir, api.SocketName))
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return api.Serve(ctx, socket, api.Local(s.board)) })
	if o.HealthAddr.Port() != 0 {
		ln, err := api.ListenHealth(o.HealthAddr)
		if err != nil {
			return errors.Join(err, socket.Close())
		}
		group.Go(func() error { return api.Serve(ctx, ln, api.Health(s.board, o.Metrics)) })
	}
	group.Go(func() error { return s.work(ctx) })
	err = group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// prepare reads what earlier runs left on disk and builds the parts.
func prepare(o Options) (*steerer, error) {
	journal := newJournal(o.Log.Handler())
	o.Log = slog.New(journal)
	if o.Resync == 0 {
		o.Resync = DefaultResync
	}
	owner, err := identify(o.StateDir, o.Hostname)
	if err != nil {
		return nil, err
	}
	mem, err := recall(o.StateDir)
	if err != nil {
		o.Log.Warn("starting without a copy of the last snapshot", "error", err)
	}
	mem.past = append(mem.past, pasts(mem.Snapshot.Config)...) // should the config have changed meanwhile
	return newSteerer(o, owner, mem, newBoard(o, journal.pages)), nil
}

// work runs the parts until ctx ends or one fails.
func (s *steerer) work(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.follow(ctx) })
	group.Go(func() error { return s.keeper.run(ctx) })
	group.Go(func() error { return s.loop.Run(ctx, s.wants) })
	group.Go(func() error { return s.run(ctx) })
	group.Go(func() error { return s.diary.run(ctx) })
	return errors.Join(group.Wait(), s.claims.close())
}

// follow hands on snapshots and the news of outages.
func (s *steerer) follow(ctx context.Context) error {
	down := false
	return s.opts.Store.Follow(ctx, func(u store.Update) {
		s.board.store(u.Err)
		switch {
		case u.Err != nil && !down:
			s.log.Warn("the store is out of reach; trying on, and traffic that flows goes on flowing", "error", u.Err)
		case u.Err == nil && down:
			s.log.Info("the store answers again")
		}
		down = u.Err != nil
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
		passes:    newLatest[reconcile.Pass](),
		ways:      mem.ways,
		noted:     mem.ways.present(),
		claims:    claims{claim: o.Claim},
		diary:     newDiary(o.StateDir, mem.Snapshot.Config == nil, o.Log),
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
		Drift:  s.drifted,
	}
	return s
}
