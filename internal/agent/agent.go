package agent

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/holder"
	"github.com/weft-net/weft/internal/hostlock"
	"github.com/weft-net/weft/internal/identity"
	"github.com/weft-net/weft/internal/intent"
	"github.com/weft-net/weft/internal/logonce"
	"github.com/weft-net/weft/internal/mailbox"
	"github.com/weft-net/weft/internal/observer"
	"github.com/weft-net/weft/internal/peerapi"
	"github.com/weft-net/weft/internal/persister"
	"github.com/weft-net/weft/internal/prober"
	"github.com/weft-net/weft/internal/reconcile"
	"github.com/weft-net/weft/internal/rekey"
	"github.com/weft-net/weft/internal/status"
	"github.com/weft-net/weft/internal/store"
)

// Run is a running agent: it leases a subnet, follows the store and the host,
// and keeps the kernel equal to the plan, until ctx ends. Traffic then flows
// on. It returns nil after an ordered end; an error means that it could not
// start, or that its own parts failed, never that the store or a peer did.
func Run(ctx context.Context, o Options) error {
	a, err := prepare(o)
	if err != nil {
		return err
	}
	defer func() { _ = closeLock(a.lock) }() // nothing was written to it
	socket, err := api.Listen(filepath.Join(o.RunDir, api.SocketName))
	if err != nil {
		return err
	}
	var health net.Listener
	if o.HealthAddr.Port() != 0 {
		if health, err = api.ListenHealth(o.HealthAddr); err != nil {
			return errors.Join(err, socket.Close())
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return api.Serve(ctx, socket, api.Local(a.board, a.keys)) })
	if health != nil {
		group.Go(func() error { return api.Serve(ctx, health, api.Health(a.board, a.opts.Metrics)) })
	}
	group.Go(func() error { return a.work(ctx) })
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// agent is the parts and the mailboxes between them.
type agent struct {
	opts     Options
	lock     *os.File         // of the state directory; nil while it cannot be used
	locks    *hostlock.Holder // nil without Options.LockDir
	log      *slog.Logger
	board    *status.Board
	state    intent.State // of the goroutine of decide
	loop     *reconcile.Loop
	holder   *holder.Holder
	memory   *persister.Persister
	observer *observer.Observer
	prober   *prober.Prober
	peers    *peerapi.Server
	passed   *follower
	herald   *status.Herald
	keys     *rekey.Keys

	carried bool          // subnet.env was written
	outage  logonce.Fault // of the store

	updates mailbox.Mailbox[store.Update]
	changed mailbox.Mailbox[struct{}] // facts of the host
	wants   mailbox.Mailbox[reconcile.Want]
}

// prepare reads what earlier runs left on disk and builds the parts.
func prepare(o Options) (*agent, error) {
	if o.Resync == 0 {
		o.Resync = DefaultResync
	}
	owner, lock, err := identity.Open(o.StateDir, o.Hostname)
	unsaved, isUnsaved := errors.AsType[*identity.UnsavedError](err)
	if err != nil && !isUnsaved {
		return nil, err
	}
	var locks *hostlock.Holder
	if o.LockDir != "" {
		if locks, err = hostlock.Open(o.LockDir, hostlock.Agent{ID: owner.ID, StateDir: o.StateDir}); err != nil {
			return nil, errors.Join(err, closeLock(lock))
		}
	}
	o.Events.Recall(o.EventsFile())
	memory, persisted := persister.Open(o.StateFile(), o.Log)
	paths, peers := prober.New(o.Wire, o.Log), peerapi.New(o.Check, o.Log)
	a := &agent{
		opts:  o,
		lock:  lock,
		locks: locks,
		log:   o.Log,
		board: status.NewBoard(status.Options{
			Version: o.Version, Hostname: o.Hostname, StoreKind: o.StoreKind, Assigned: o.Assigned,
			Events: o.Events, Trouble: o.Trouble, Requests: o.Requests, Expires: store.ExpiryOf(o.Store), Reach: paths.Report, Checksums: paths.Checksums, Answers: peers.Addr, Count: o.Count, FastPath: o.FastPath, UserSpace: o.UserSpace,
		}),
		state:    intent.New(o.IntentOptions(owner), persisted),
		memory:   memory,
		observer: observer.New(o.Kernel, o.Source),
		prober:   paths,
		peers:    peers,
		keys:     rekey.New(o.Keys, o.Log),
		updates:  mailbox.New[store.Update](),
		changed:  mailbox.New[struct{}](),
		wants:    mailbox.New[reconcile.Want](),
	}
	a.watchStateDir(owner.ID, unsaved)
	a.herald = &status.Herald{Board: a.board, Log: o.Log, Reachable: o.Reachable, Short: o.Short}
	a.holder = holder.New(o.Store, o.RenewMargin, o.Log, func(held bool, err error) {
		a.board.Lease(held, err)
		a.herald.Tell()
	})
	a.passed = newFollower(a.herald)
	a.loop = &reconcile.Loop{
		Kernel: o.Kernel, Log: o.Log, Resync: o.Resync,
		Report: a.passed.pass,
		Facts:  func() { a.changed.Put(struct{}{}) },
		Drift:  a.passed.drift,
	}
	return a, nil
}

// work runs the parts until ctx ends or one fails.
func (a *agent) work(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	events, history := a.opts.Events, a.opts.EventsFile()
	for _, part := range []func(context.Context) error{
		func(ctx context.Context) error { return events.Keep(ctx, history) },
		a.followStore, a.observer.Run, a.prober.Run, a.holder.Run, a.memory.Run, a.passed.run, a.decide,
		func(ctx context.Context) error { return a.loop.Run(ctx, a.wants) },
		func(ctx context.Context) error { return a.peers.Run(ctx, a.board) },
	} {
		group.Go(func() error { return part(ctx) })
	}
	err := group.Wait()
	_ = a.opts.Events.Save(a.opts.EventsFile()) // see Events.Keep
	if a.locks != nil {
		err = errors.Join(err, a.locks.Close())
	}
	return err
}
