package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/session"
)

// Hold keeps l for owner until it is lost or ctx ends. Every round reads what
// is stored, restores what another program wrote, renews if it is time, and
// waits for a change of the lease's keys or the next renewal; so it does not
// matter which events an outage swallowed.
func (s *Store) Hold(ctx context.Context, l lease.Lease, owner lease.Owner, margin time.Duration) error {
	h := &holder{
		Store: s, name: lease.Key(l.Subnets), lease: l, owner: owner, margin: margin,
		acquired: s.acquired(l),
		looks:    backoff.Pace{First: 10 * time.Millisecond, Most: time.Second, Calm: 10 * time.Second},
		restores: backoff.Pace{First: time.Second, Most: time.Minute, Calm: 5 * time.Minute},
	}
	loop := session.Loop{
		Run:   h.session,
		Final: func(err error) bool { return errors.Is(err, store.ErrLost) || s.life.Err() != nil },
		Down: func(err error) {
			h.told = !errors.Is(err, store.ErrUnreachable) // which Follow reports
			if h.told {
				s.log.Warn("cannot renew the lease; existing traffic is not affected", "kind", "lease", "subnet", lease.FormatSubnets(l.Subnets), "error", err)
			}
		},
		Up: func() {
			if h.told {
				s.log.Info("lease renewal resumed", "kind", "lease", "subnet", lease.FormatSubnets(l.Subnets))
			}
		},
	}
	err := loop.Keep(ctx)
	if errors.Is(err, store.ErrLost) {
		s.sessions.lost()
		return fmt.Errorf("lease %s: %w", lease.FormatSubnets(l.Subnets), err)
	}
	return err
}

type holder struct {
	*Store
	name      string
	lease     lease.Lease
	owner     lease.Owner
	margin    time.Duration
	on        ttlID        // the etcd lease the key is attached to
	acquired  ttlID        // the one that Acquire attached it to; 0 if that is not known, or it is gone
	renewAt   time.Time    // when to renew it
	looks     backoff.Pace // since another program may write the keys all the time
	restores  backoff.Pace
	restoreAt time.Time // when to restore the keys; zero if they are right
	present   *session.Session
	told      bool // that the lease cannot be renewed
}

// session goes on until something breaks or the lease is lost.
func (h *holder) session(ctx context.Context, s *session.Session) error {
	h.present = s
	for {
		if err := h.looks.Wait(ctx); err != nil {
			return err
		}
		if err := h.round(ctx); err != nil {
			return err
		}
	}
}

// round returns nil when there may be something new to see.
func (h *holder) round(ctx context.Context) error {
	k, err := h.read(ctx)
	if err != nil {
		return err
	}
	if err := h.lost(k); err != nil {
		return err
	}
	if id := h.attachment(k); id != h.on {
		if err := h.schedule(ctx, id); err != nil {
			return err
		}
	}
	if told, err := h.answer(ctx, k.questions); told || err != nil {
		return err
	}
	if due, err := h.correct(ctx, k); due || err != nil {
		return err
	}
	if h.on != 0 && !time.Now().Before(h.renewAt) {
		return h.extend(ctx)
	}
	return h.await(ctx, k.revision)
}

// schedule notes when the lease, which is attached to id, is to be renewed.
func (h *holder) schedule(ctx context.Context, id ttlID) error {
	var left time.Duration
	if id != 0 {
		var err error
		if left, _, err = h.remaining(ctx, id); err != nil {
			return err
		}
		h.renewAt = time.Now().Add(max(left-h.margin, 0))
	}
	h.on = id
	h.endsIn(left)
	return nil
}

// extend renews. If that fails it stays due, and Hold tries again with its
// pauses; the lease is lost only when it is seen to be gone.
func (h *holder) extend(ctx context.Context) error {
	full, err := h.renew(ctx, h.on)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		h.on, h.acquired = 0, 0 // the next round finds the key gone, or attached to something else
		return err
	}
	if err != nil {
		return err
	}
	h.endsIn(full)
	h.log.Debug("lease renewed", "lease", h.name, "ttl", full)
	h.renewAt = time.Now().Add(max(full-h.margin, full/2))
	return nil
}

// await returns nil after a change of the lease's keys since rev, or when it
// is time to renew or to restore.
func (h *holder) await(ctx context.Context, rev int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	due := make(chan struct{})
	if at, ok := h.next(); ok {
		timer := time.AfterFunc(time.Until(at), func() { close(due); cancel() })
		defer timer.Stop()
	}
	allowed, changed := h.rights.get()
	rang := make(chan struct{})
	go func() {
		defer close(rang)
		select {
		case <-ctx.Done():
		case <-changed:
			cancel() // there are other keys to read
		}
	}()
	defer func() { cancel(); <-rang }()
	err := h.watch(ctx, rev+1, doorbell{h.present}, h.spans(allowed,
		h.keys.only(h.keys.lease(h.name)), h.keys.only(h.keys.owner(h.name)), h.keys.questions(h.owner.ID))...)
	select {
	case <-changed:
		return nil
	default:
	}
	select {
	case <-due:
		return nil
	default:
	}
	if errors.Is(err, errRang) {
		return nil
	}
	return h.explain(ctx, "watching lease "+h.name, err)
}

// next returns when there is something to do without an event, if ever.
func (h *holder) next() (time.Time, bool) {
	at := h.restoreAt
	if h.on != 0 && (at.IsZero() || h.renewAt.Before(at)) {
		at = h.renewAt
	}
	return at, !at.IsZero()
}

// errRang ends a watch because there is something to read.
var errRang = errors.New("a key has changed")

// doorbell is a watcher that only wants to know that there is something.
type doorbell struct{ present *session.Session }

func (d doorbell) ready(*pb.ResponseHeader) error {
	d.present.Ready()
	return nil
}

func (doorbell) batch(resp *pb.WatchResponse) error {
	if len(resp.Events) > 0 {
		return errRang
	}
	return nil
}
