package kube

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/session"
)

// Hold watches this host's node until it does not say any more what Acquire
// left there. There is nothing to renew, so owner and margin do not count.
func (s *Store) Hold(ctx context.Context, l lease.Lease, _ lease.Owner, _ time.Duration) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	h := &holder{Store: s, lease: l, network: make(chan string, 1)}
	ctx, cancel := context.WithCancel(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		h.keepCondition(ctx)
	}()
	defer func() { cancel(); <-kept }()
	return h.run(ctx)
}

// holder is a sink.
type holder struct {
	*Store
	lease   lease.Lease
	name    string      // of the node
	network chan string // the status of the node's condition, the newest alone
	present bool        // in the present list
	lost    error       // why the lease is lost
	stop    func()      // ends the present session
	watcher *watcher    // nil until the node is known
	running *session.Session
}

func (h *holder) run(ctx context.Context) error {
	loop := session.Loop{
		Run:   h.session,
		Final: func(err error) bool { return h.lost != nil || errors.Is(err, errClosed) },
		Down: func(err error) {
			h.log.Warn("cannot watch this host's node; existing traffic is not affected", "node", h.name, "error", err)
		},
		Up: func() { h.log.Info("this host's node is watched again", "node", h.name) },
	}
	err := loop.Keep(ctx)
	if h.lost != nil {
		return fmt.Errorf("lease %s: node %s: %w", lease.FormatSubnets(h.lease.Subnets), h.name, h.lost)
	}
	return err
}

// session watches the node until something breaks or the lease is lost.
func (h *holder) session(ctx context.Context, s *session.Session) error {
	if err := h.open(ctx); err != nil {
		return err
	}
	if h.watcher == nil {
		name, err := h.ownName(ctx)
		if err != nil {
			return h.explain(ctx, "finding this host's node", err)
		}
		h.name = name
		h.watcher = &watcher{client: h.client, decode: h.decode, only: name, sink: h}
	}
	h.running = s
	ctx, h.stop = context.WithCancel(ctx)
	defer h.stop()
	return h.explain(ctx, "watching this host's node", h.watcher.session(ctx))
}

func (h *holder) begin() { h.present = false }

func (h *holder) live() { h.running.Ready() }

func (h *holder) put(n *node) {
	h.present = true
	if err := h.check(*n); err != nil {
		h.lose(err)
		return
	}
	select {
	case <-h.network:
	default:
	}
	h.network <- n.network
}

func (h *holder) gone(string) { h.lose(errors.New("it was deleted")) }

func (h *holder) end(string) {
	if !h.present {
		h.lose(errors.New("it was deleted"))
	}
}

func (h *holder) lose(why error) {
	h.lost = fmt.Errorf("%w: %w", store.ErrLost, why)
	h.stop()
}

// check compares n with what Acquire left.
func (h *holder) check(n node) error {
	subnets, err := n.subnets()
	if err != nil {
		return err
	}
	for _, p := range h.lease.Subnets {
		if !slices.Contains(subnets, p) {
			return fmt.Errorf("its PodCIDR is %s now", orNone(subnets))
		}
	}
	expected := h.expected(&n)
	want, err := n.written(expected.attrs)
	if err != nil {
		return err
	}
	want[annKey] = expected.key
	for i := range annotationsWritten {
		if n.annotations[i] != want[i] {
			return fmt.Errorf("its annotation %s is %.80q now, and has to be %.80q", annotationNames[i], n.annotations[i], want[i])
		}
	}
	return nil
}

func orNone(subnets []netip.Prefix) string {
	if len(subnets) == 0 {
		return "none"
	}
	return lease.FormatSubnets(subnets)
}

// expected is what the last Acquire announced; without one, what the lease says, and n of
// the key.
func (h *holder) expected(n *node) announced {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.announced != nil {
		return *h.announced
	}
	return announced{h.lease.Attrs, n.annotations[annKey]}
}
