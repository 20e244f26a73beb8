package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

// heldKeys is what is stored of a held lease at one revision; nil is not there.
type heldKeys struct {
	revision     int64
	lease, owner *mvccpb.KeyValue
	questions    []*mvccpb.KeyValue // to this host's agent
	records      bool               // the last two may be read
}

func (h *holder) read(ctx context.Context) (k heldKeys, err error) {
	err = h.permitted(ctx, func() error {
		k, err = h.readAllowed(ctx, h.allowed())
		return err
	})
	return k, err
}

func (h *holder) readAllowed(ctx context.Context, a allowed) (heldKeys, error) {
	k := heldKeys{records: a.records}
	asked := h.keys.questions(h.owner.ID)
	t := h.within(a, txn{then: []clientv3.Op{
		clientv3.OpGet(h.keys.lease(h.name)), clientv3.OpGet(h.keys.owner(h.name)),
		clientv3.OpGet(asked.first, clientv3.WithRange(asked.end)),
	}})
	err := h.call(ctx, "reading lease "+h.name, func(ctx context.Context, etcd *clientv3.Client) error {
		resp, err := etcd.Txn(ctx).Then(t.then...).Commit()
		if err != nil {
			return err
		}
		k.revision = resp.Header.Revision
		k.lease = first(resp.Responses[0])
		if a.records {
			k.owner, k.questions = first(resp.Responses[1]), resp.Responses[2].GetResponseRange().Kvs
		}
		return nil
	})
	return k, err
}

// first returns the first key that was read, nil if there is none.
func first(resp *pb.ResponseOp) *mvccpb.KeyValue {
	if kvs := resp.GetResponseRange().Kvs; len(kvs) > 0 {
		return kvs[0]
	}
	return nil
}

// attachment returns the etcd lease that the keys belong to, 0 for those of a
// reservation. The record tells, since only weft writes it: another program's
// write of the lease's key drops or replaces what that is attached to.
func (h *holder) attachment(k heldKeys) ttlID {
	switch {
	case k.owner != nil:
		return ttlOf(k.owner)
	case !k.records && h.on != 0: // nothing but memory tells
		return h.on
	case !k.records && h.acquired != 0: // what is stored may be overwritten already
		return h.acquired
	}
	return ttlOf(k.lease)
}

// lost returns ErrLost with the reason if the lease is not the owner's any
// more.
func (h *holder) lost(k heldKeys) error {
	if k.lease == nil {
		return fmt.Errorf("%w: it was deleted, or ran out", store.ErrLost)
	}
	if k.owner != nil {
		o, err := parseOwner(k.owner)
		if err == nil && o.ID != h.owner.ID {
			return fmt.Errorf("%w: %s has acquired it", store.ErrLost, o.Name())
		}
		if err == nil && o.Session != h.owner.Session && o.Session != "" && h.owner.Session != "" {
			return fmt.Errorf("%w: another agent with this host's identity has acquired it, on %s", store.ErrLost, o.Name())
		}
		return nil
	}
	attrs, err := lease.ParseAttrs(k.lease.Value)
	if err != nil {
		return fmt.Errorf("%w: another program overwrote it: %w", store.ErrLost, err)
	}
	if want, err := h.announced(); err == nil && !slices.Equal(attrs.Public, want.Public) {
		return fmt.Errorf("%w: it announces %v now", store.ErrLost, attrs.Public)
	}
	return nil
}

// announced returns what this host announces: what the last Acquire wrote,
// without one what the lease says.
func (h *holder) announced() (lease.Attrs, error) {
	doc, err := h.value()
	if err != nil {
		return lease.Attrs{}, err
	}
	return lease.ParseAttrs([]byte(doc))
}

func (h *holder) value() (string, error) {
	if e, ok := h.written.get(h.name); ok {
		return e.value, nil
	}
	doc, err := lease.MarshalAttrs(h.lease.Attrs)
	return string(doc), err
}

// difference says in what k is not what this host left there; "" if it is.
func (h *holder) difference(k heldKeys) (string, error) {
	want, err := h.announced()
	if err != nil {
		return "", err
	}
	attrs, err := lease.ParseAttrs(k.lease.Value)
	switch {
	case err != nil:
		return err.Error(), nil
	case !attrs.Equal(want):
		return fmt.Sprintf("it announces %.200s", k.lease.Value), nil
	case k.owner == nil && k.records && h.owner.ID != "":
		return "the record of its host is missing", nil
	case ttlOf(k.lease) != h.attachment(k):
		return "its time to live was dropped or changed", nil
	}
	return "", nil
}

// correct restores the keys if another program changed them. The first time it
// does so at once, then more and more rarely: a program that insists is not
// fought at full speed. It returns true if there is something new to read.
func (h *holder) correct(ctx context.Context, k heldKeys) (bool, error) {
	wrong, err := h.difference(k)
	if err != nil {
		return false, err
	}
	if wrong == "" {
		h.restoreAt = time.Time{}
		return false, nil
	}
	if h.restoreAt.IsZero() {
		h.restoreAt = time.Now().Add(h.restores.Next())
		h.log.Warn("the lease was changed by another program; restoring it",
			"lease", h.name, "error", wrong, "in", max(time.Until(h.restoreAt), 0).Round(time.Second))
	}
	if time.Now().Before(h.restoreAt) {
		return false, nil
	}
	h.restoreAt = time.Time{}
	return true, h.restore(ctx, k)
}

// restore writes the keys as this host had left them, unless they have changed
// again.
func (h *holder) restore(ctx context.Context, k heldKeys) error {
	value, errV := h.value()
	owner, errO := json.Marshal(h.owner)
	if err := errors.Join(errV, errO); err != nil {
		return err
	}
	var t txn
	t.unchanged(h.keys.lease(h.name), k.lease)
	t.unchanged(h.keys.owner(h.name), k.owner)
	t.put(h.keys.lease(h.name), value, h.on)
	if h.owner.ID != "" {
		t.put(h.keys.owner(h.name), string(owner), h.on)
	}
	_, err := h.commit(ctx, "restoring lease "+h.name, t)
	return err
}
