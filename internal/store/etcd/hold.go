package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/session"
)

// Hold keeps l for owner until it is lost or ctx ends. Every round looks at
// what is stored, renews if it is time, and waits for a change of the lease's
// keys or the next renewal; so it does not matter which events an outage
// swallowed.
func (s *Store) Hold(ctx context.Context, l lease.Lease, owner lease.Owner, margin time.Duration) error {
	h := &holder{
		Store: s, name: lease.Key(l.Subnets), lease: l, owner: owner, margin: margin,
		looks: backoff.Pace{First: 10 * time.Millisecond, Most: time.Second, Calm: 10 * time.Second},
	}
	loop := session.Loop{
		Run:   h.session,
		Final: func(err error) bool { return errors.Is(err, store.ErrLost) || s.life.Err() != nil },
		Down: func(err error) {
			s.log.Warn("cannot renew the lease; existing traffic is not affected", "lease", h.name, "error", err)
		},
		Up: func() { s.log.Info("lease renewal resumed", "lease", h.name) },
	}
	err := loop.Keep(ctx)
	if errors.Is(err, store.ErrLost) {
		return fmt.Errorf("lease %s: %w", lease.FormatSubnets(l.Subnets), err)
	}
	return err
}

type holder struct {
	*Store
	name    string
	lease   lease.Lease
	owner   lease.Owner
	margin  time.Duration
	on      ttlID        // what the lease hangs on
	renewAt time.Time    // when to renew it
	looks   backoff.Pace // since another program may write the keys all the time
	present *session.Session
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
	lk, rev, err := h.look(ctx)
	if err != nil {
		return err
	}
	if id := ttlOf(lk); id != h.on {
		if err := h.schedule(ctx, id); err != nil {
			return err
		}
	}
	if h.on != 0 && !time.Now().Before(h.renewAt) {
		return h.extend(ctx)
	}
	return h.await(ctx, rev)
}

// look reads the lease's key, checked to be the owner's.
func (h *holder) look(ctx context.Context) (*mvccpb.KeyValue, int64, error) {
	var got []*mvccpb.KeyValue
	var rev int64
	err := h.call(ctx, "looking after lease "+h.name, func(ctx context.Context, etcd *clientv3.Client) error {
		resp, err := etcd.Txn(ctx).Then(clientv3.OpGet(h.keys.lease(h.name)), clientv3.OpGet(h.keys.owner(h.name))).Commit()
		if err != nil {
			return err
		}
		rev, got = resp.Header.Revision, make([]*mvccpb.KeyValue, 2)
		for i, r := range resp.Responses {
			if kvs := r.GetResponseRange().Kvs; len(kvs) > 0 {
				got[i] = kvs[0]
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return got[0], rev, h.check(got[0], got[1])
}

// check returns ErrLost with the reason if the lease is not the owner's.
func (h *holder) check(lk, ok *mvccpb.KeyValue) error {
	if lk == nil {
		return fmt.Errorf("%w: it was deleted, or ran out", store.ErrLost)
	}
	if ok != nil {
		o, err := parseOwner(ok)
		if err == nil && o.ID != h.owner.ID {
			return fmt.Errorf("%w: %s has taken it", store.ErrLost, o.Hostname)
		}
	}
	attrs, err := lease.ParseAttrs(lk.Value)
	if err != nil {
		return fmt.Errorf("%w: somebody overwrote it: %w", store.ErrLost, err)
	}
	if !slices.Equal(attrs.Public, h.lease.Public) {
		return fmt.Errorf("%w: it announces %v now", store.ErrLost, attrs.Public)
	}
	return nil
}

// schedule notes when the lease, which hangs on id, is to be renewed.
func (h *holder) schedule(ctx context.Context, id ttlID) error {
	if id != 0 {
		left, _, err := h.remaining(ctx, id)
		if err != nil {
			return err
		}
		h.renewAt = time.Now().Add(max(left-h.margin, 0))
	}
	h.on = id
	return nil
}

// extend renews. If that fails it stays due, and Hold tries again with its
// pauses; the lease is lost only when it is seen to be gone.
func (h *holder) extend(ctx context.Context) error {
	full, err := h.renew(ctx, h.on)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		h.on = 0 // the next look finds the key gone, or hanging on something else
		return err
	}
	if err != nil {
		return err
	}
	h.log.Debug("lease renewed", "lease", h.name, "ttl", full)
	h.renewAt = time.Now().Add(max(full-h.margin, full/2))
	return nil
}

// await returns nil after a change of the lease's keys since rev, or when it
// is time to renew.
func (h *holder) await(ctx context.Context, rev int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	due := make(chan struct{})
	if h.on != 0 {
		timer := time.AfterFunc(time.Until(h.renewAt), func() { close(due); cancel() })
		defer timer.Stop()
	}
	err := h.watch(ctx, rev+1, doorbell{h}, h.keys.only(h.keys.lease(h.name)), h.keys.only(h.keys.owner(h.name)))
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

// errRang ends a watch because there is something to look at.
var errRang = errors.New("a key has changed")

// doorbell is a watcher that only wants to know that there is something.
type doorbell struct{ h *holder }

func (d doorbell) ready(*pb.ResponseHeader) error {
	d.h.present.Ready()
	return nil
}

func (doorbell) batch(resp *pb.WatchResponse) error {
	if len(resp.Events) > 0 {
		return errRang
	}
	return nil
}
