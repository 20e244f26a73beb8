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
// lease that follows from its PodCIDRs; what the claim would prefer does not
// count. When it fails because of what the Node object says, the next call
// with the same outcome waits until that changes.
func (s *Store) Acquire(ctx context.Context, net netconf.Network, claim lease.Claim) (lease.Lease, error) {
	if err := s.open(ctx); err != nil {
		return lease.Lease{}, err
	}
	name, err := s.ownName(ctx)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("acquiring a lease: %w", err)
	}
	for {
		l, err := s.announce(ctx, name, net, claim.Attrs)
		why, waits := errors.AsType[*nodeError](err)
		if !waits || s.refuses(why.Error()) {
			return l, err
		}
		if err := s.await(ctx, why.node); err != nil {
			return lease.Lease{}, err
		}
	}
}

// refuses takes note of a refusal and tells whether it is another one.
func (s *Store) refuses(why string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.refused != why
	s.refused = why
	return news
}

// nodeError is a reason that lies in the Node object.
type nodeError struct {
	node node
	why  string
}

func (e *nodeError) Error() string { return fmt.Sprintf("node %s: %s", e.node.name, e.why) }

// announce writes what attrs say to the node, if it says something else.
func (s *Store) announce(ctx context.Context, name string, net netconf.Network, attrs lease.Attrs) (lease.Lease, error) {
	n, err := s.get(ctx, name)
	if err != nil {
		return lease.Lease{}, err
	}
	for {
		l, want, err := settle(n, net, attrs)
		if err != nil {
			return lease.Lease{}, err
		}
		s.expect(attrs)
		p, differs := s.decode.keys.difference(n.notes, want)
		if !differs {
			return l, nil
		}
		if err := s.pace.Wait(ctx); err != nil {
			return lease.Lease{}, err
		}
		// The answer shows what became of it: somebody may have changed the
		// node, or made it anew, meanwhile.
		if n, err = s.send(ctx, "writing the annotations", name, p); err != nil {
			return lease.Lease{}, err
		}
	}
}

// expect notes what the node is to say from now on, for Hold.
func (s *Store) expect(attrs lease.Attrs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused, s.announced = "", &attrs
}

// settle returns the lease that n gives its host in net when it announces
// attrs, and the annotations for that.
func settle(n node, net netconf.Network, attrs lease.Attrs) (lease.Lease, notes, error) {
	refuse := func(why string, args ...any) (lease.Lease, notes, error) {
		return lease.Lease{}, notes{}, &nodeError{n, fmt.Sprintf(why, args...)}
	}
	if n.version == "" {
		return refuse("there is no such node yet; the host's kubelet makes it, under this name if NODE_NAME is right")
	}
	subnets, err := n.subnets()
	if err != nil {
		return refuse("%v", err)
	}
	if len(subnets) == 0 {
		return refuse("it has no PodCIDR; the controller manager assigns one if it runs with --allocate-node-cidrs and a --cluster-cidr, which is to be the network %s", lease.FormatSubnets(net.Prefixes()))
	}
	usable := 0
	for _, p := range subnets {
		r, ok := net.Range(netconf.FamilyOf(p.Addr()))
		if ok && !within(r.Network, p) {
			return refuse("its PodCIDR %s lies outside the network %s; the controller manager's --cluster-cidr and the config's network must be the same", p, r.Network)
		}
		if ok {
			usable++
		}
	}
	if usable == 0 {
		return refuse("its PodCIDR %s is of another family than the network %s", lease.FormatSubnets(subnets), lease.FormatSubnets(net.Prefixes()))
	}
	want, err := n.written(attrs)
	if err != nil {
		return refuse("%v", err)
	}
	n.notes = want
	l, err := n.lease()
	if err != nil {
		return refuse("%v", err)
	}
	return l, want, nil
}

// within tells whether all of p lies in network.
func within(network, p netip.Prefix) bool {
	return network.Bits() <= p.Bits() && network.Contains(p.Addr())
}

// await returns nil when the node is not any more like n in what leases are
// made of.
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
	present bool // in the list that comes in
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
