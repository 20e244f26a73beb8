package kube

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store/session"
)

// Acquire announces claim's attributes on this host's node and returns the
// lease that follows from its PodCIDRs; what the claim prefers is ignored.
// After a failure because of the Node object, the next call that would fail for
// the same reason waits until the object changes.
func (s *Store) Acquire(ctx context.Context, net netconf.Network, claim lease.Claim) (lease.Lease, error) {
	if err := s.open(ctx); err != nil {
		return lease.Lease{}, err
	}
	name, err := s.ownName(ctx)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("acquiring a lease: %w", err)
	}
	for {
		l, err := s.announce(ctx, name, net, announced{claim.Attrs, claim.Host.WireGuard})
		why, waits := errors.AsType[*nodeError](err)
		if !waits || s.isNews(why.Error()) {
			return l, err
		}
		if err := s.await(ctx, why.node); err != nil {
			return lease.Lease{}, err
		}
	}
}

// isNews records why Acquire fails and reports whether that is another reason.
func (s *Store) isNews(why string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.refused != why
	s.refused = why
	return news
}

// nodeError is a failure for a reason in the Node object.
type nodeError struct {
	node node
	why  string
}

func (e *nodeError) Error() string { return fmt.Sprintf("node %s: %s", e.node.name, e.why) }

// announced is what a node's annotations say of its host.
type announced struct {
	attrs lease.Attrs
	key   string // its public one for WireGuard; "": none
}

// announce writes a to the node's annotations, if they differ. Attributes and key are
// one write: whoever sees the one knows the other.
func (s *Store) announce(ctx context.Context, name string, net netconf.Network, a announced) (lease.Lease, error) {
	n, err := s.get(ctx, name)
	if err != nil {
		return lease.Lease{}, err
	}
	for {
		l, want, err := settle(n, net, a)
		if err != nil {
			return lease.Lease{}, err
		}
		s.expect(a)
		p, differs := s.decode.keys.difference(n.annotations, want)
		if !differs {
			return l, nil
		}
		if err := s.pace.Wait(ctx); err != nil {
			return lease.Lease{}, err
		}
		// The response is checked, too: the node may have been changed or
		// recreated meanwhile.
		if n, err = s.send(ctx, "writing the annotations", name, p); err != nil {
			return lease.Lease{}, err
		}
	}
}

// expect records for Hold what the node has to announce from now on.
func (s *Store) expect(a announced) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused, s.announced = "", &a
}

// settle returns the lease that n gives its host in net when it announces
// a, and the annotations for that.
func settle(n node, net netconf.Network, a announced) (lease.Lease, annotations, error) {
	refuse := func(why string, args ...any) (lease.Lease, annotations, error) {
		return lease.Lease{}, annotations{}, &nodeError{n, fmt.Sprintf(why, args...)}
	}
	if n.version == "" {
		return refuse("there is no such node yet; the host's kubelet creates it, with this name if NODE_NAME is right")
	}
	subnets, err := n.subnets()
	if err != nil {
		return refuse("%v", err)
	}
	if len(subnets) == 0 {
		return refuse("it has no PodCIDR; the controller manager assigns one if it runs with --allocate-node-cidrs and --cluster-cidr=%s, the network", lease.FormatSubnets(net.Prefixes()))
	}
	usable := 0
	for _, p := range subnets {
		r, ok := net.Range(netconf.FamilyOf(p.Addr()))
		if ok && !within(r.Network, p) {
			return refuse("its PodCIDR %s is outside the network %s; the controller manager's --cluster-cidr and the config's network must be the same", p, r.Network)
		}
		if ok {
			usable++
		}
	}
	if usable == 0 {
		return refuse("its PodCIDR %s is of another family than the network %s", lease.FormatSubnets(subnets), lease.FormatSubnets(net.Prefixes()))
	}
	want, err := n.written(a.attrs)
	if err != nil {
		return refuse("%v", err)
	}
	want[annKey] = a.key
	n.annotations = want
	l, err := n.lease()
	if err != nil {
		return refuse("%v", err)
	}
	return l, want, nil
}

// within reports whether all of p is in network.
func within(network, p netip.Prefix) bool {
	return network.Bits() <= p.Bits() && network.Contains(p.Addr())
}

// await returns nil as soon as the node differs from n in what a lease is read
// from.
func (s *Store) await(ctx context.Context, n node) error {
	change := &waiter{was: n.facts(), exists: n.version != ""}
	w := &watcher{client: s.client, decode: s.decode, only: n.name, sink: change}
	loop := session.Loop{
		Run: func(ctx context.Context, running *session.Session) error {
			ctx, change.seen = context.WithCancel(ctx)
			defer change.seen()
			change.running = running
			if err := s.open(ctx); err != nil {
				return err
			}
			return s.explain(ctx, "waiting for node "+n.name, w.session(ctx))
		},
		Final: func(err error) bool { return change.differs || errors.Is(err, errClosed) },
		Down:  func(err error) { s.log.Debug("cannot watch this host's node", "node", n.name, "error", err) },
		Up:    func() {},
	}
	if err := loop.Keep(ctx); !change.differs {
		return s.explain(ctx, "waiting for node "+n.name, err)
	}
	return nil
}

// waiter is a sink that ends its watch when something has changed.
type waiter struct {
	was     node
	exists  bool
	present bool // in the present list
	differs bool
	seen    context.CancelFunc
	running *session.Session
}

func (w *waiter) changed() {
	w.differs = true
	w.seen()
}

func (w *waiter) begin() { w.present = false }
func (w *waiter) live()  { w.running.Ready() }

func (w *waiter) put(n *node) {
	w.present = true
	if !w.exists || n.facts() != w.was {
		w.changed()
	}
}

func (w *waiter) gone(string) {
	if w.exists {
		w.changed()
	}
}

func (w *waiter) end(string) {
	if w.exists && !w.present {
		w.changed()
	}
}

// Writes that come this long after another are not in haste.
const unhurried = 5 * time.Minute
