package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
)

// Store is one cluster's nodes and the config document.
type Store struct {
	*client
	o      Options
	decode decoder
	log    *slog.Logger
	life   context.Context // ends with Close
	end    context.CancelFunc

	reach   *reachability
	trouble troubles
	pace    backoff.Pace // of Acquire's writes: another program may write something else to the node again and again

	selfMu sync.Mutex
	self   string // the name of this host's node, once it is known

	mu        sync.Mutex
	refused   string     // why the last Acquire failed, if only a change of the node mends it
	announced *announced // by the last Acquire that came that far
}

var _ store.Store = (*Store)(nil)

// Open checks o, with the files it names, and returns the store. The API
// server need not be reachable yet: every call tries, and fails if it is not.
func Open(_ context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	keys, err := newAnnotationKeys(o.Prefix)
	if err != nil {
		return nil, fmt.Errorf("annotation prefix %q: %w", o.Prefix, err)
	}
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	s := &Store{client: c, o: o, decode: decoder{keys}, log: o.Log, reach: newReachability(), trouble: newTroubles(),
		pace: backoff.Pace{First: time.Second, Most: time.Minute, Calm: unhurried}}
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// open returns an error if ctx or the store has ended.
func (s *Store) open(ctx context.Context) error {
	if s.life.Err() != nil {
		return errClosed
	}
	return ctx.Err()
}

// URL is the address of the API server.
func (s *Store) URL() string { return s.url }

// Requests returns how many requests were made so far, by Kubernetes' verb.
func (s *Store) Requests() map[string]int { return s.counts.read() }

// Redial implements store.Store.
func (s *Store) Redial() { s.close() }

// Close closes the connections. Later calls fail.
func (s *Store) Close() error {
	s.end()
	s.close()
	return nil
}

// refusal is why something cannot be written here, and what to do instead.
type refusal struct{ what, instead string }

func (r *refusal) Error() string { return r.what }

// Hint is advice for the operator.
func (r *refusal) Hint() string { return r.instead }

// Unwrap implements the errors package.
func (r *refusal) Unwrap() error { return errors.ErrUnsupported }

// SetConfig is refused: the config is a file that Kubernetes mounts.
func (s *Store) SetConfig(ctx context.Context, _ []byte, _ int64) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	return s.ReadOnly()
}

// ReadOnly is the error of SetConfig, for callers that check first.
func (s *Store) ReadOnly() error {
	return &refusal{
		what:    fmt.Sprintf("on Kubernetes the network config is the file %s, which weft does not write", s.o.ConfigFile),
		instead: "edit the ConfigMap that it is mounted from, with weft's manifest 'kubectl -n weft edit configmap weft'; agents apply the change as soon as the kubelet has updated the file",
	}
}

// Reserve is refused: the controller manager assigns subnets.
func (s *Store) Reserve(ctx context.Context, l lease.Lease) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	return &refusal{
		what:    fmt.Sprintf("%s cannot be reserved: on Kubernetes the controller manager assigns subnets to nodes", lease.FormatSubnets(l.Subnets)),
		instead: "create the Node object with the spec.podCIDRs it should have, before its host joins",
	}
}

// Release is refused: a subnet belongs to its Node object.
func (s *Store) Release(ctx context.Context, subnets []netip.Prefix) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	return &refusal{
		what:    fmt.Sprintf("%s cannot be released: on Kubernetes a subnet belongs to a node", lease.FormatSubnets(subnets)),
		instead: "'kubectl delete node NAME' frees the node's subnet",
	}
}
