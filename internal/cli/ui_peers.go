package cli

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/page"
	"github.com/weft-net/weft/internal/peerapi"
)

// How the agents of other hosts are asked for the page: so many at a time, each
// after a pause, and of a large network only some, since each of their answers
// names all hosts.
const (
	peersAsked     = 16
	peersAskedMost = 300
	peerPause      = 5 * time.Second
	peerLimit      = 5 * time.Second // for an answer
)

// peerAnswers is what the agents of other hosts have answered lately. A host that
// answers slowly, or not at all, delays nothing else.
type peerAnswers struct {
	mu      sync.Mutex
	wanted  []api.Peer // whose agents are to be asked
	own     netip.AddrPort
	answers map[netip.Addr]*peerAnswer
	wake    chan struct{}
}

// peerAnswer is an agent of another host, as the page asks it.
type peerAnswer struct {
	host, id string

	mu     sync.Mutex
	status api.Status
	err    error
	at     time.Time // zero: it was not asked yet
}

// Status implements page.Asker with the last answer.
func (a *peerAnswer) Status(context.Context) (api.Status, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status, a.err
}

// Events implements page.Asker: agents keep them to their own hosts.
func (a *peerAnswer) Events(context.Context, int64) ([]api.Event, error) { return nil, nil }

func newPeerAnswers() *peerAnswers {
	return &peerAnswers{answers: map[netip.Addr]*peerAnswer{}, wake: make(chan struct{}, 1)}
}

// update takes note of who could be asked, as this host's agent says.
func (p *peerAnswers) update(s *api.Status) {
	own, err := netip.ParseAddrPort(s.Answers)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own, p.wanted = own, nil
	if err != nil {
		return // agents do not answer each other in this network
	}
	for _, peer := range s.Peers {
		if peer.Backend != "host-gw" && len(peer.Subnets) > 0 && len(p.wanted) < peersAskedMost {
			p.wanted = append(p.wanted, peer)
		}
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// agents returns those that have answered, or failed to.
func (p *peerAnswers) agents() (out []page.Agent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, peer := range p.wanted {
		a := p.answers[peer.Subnets[0].Addr()]
		if a == nil {
			continue
		}
		a.mu.Lock()
		if !a.at.IsZero() {
			out = append(out, page.Agent{Host: a.host, ID: a.id, Asker: a})
		}
		a.mu.Unlock()
	}
	return out
}

// run asks, as long as somebody looks, until ctx ends.
func (p *peerAnswers) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		client, stale := p.stale()
		var group errgroup.Group
		group.SetLimit(peersAsked)
		for addr, a := range stale {
			group.Go(func() error { a.ask(ctx, client, addr); return nil })
		}
		_ = group.Wait() // no question returns an error
	}
}

// stale returns those whose answers are old, and forgets hosts that are gone.
func (p *peerAnswers) stale() (peerapi.Client, map[netip.Addr]*peerAnswer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out, known := map[netip.Addr]*peerAnswer{}, map[netip.Addr]*peerAnswer{}
	for _, peer := range p.wanted {
		addr := peer.Subnets[0].Addr()
		a := p.answers[addr]
		if a == nil {
			a = &peerAnswer{host: peer.Name, id: page.HostID(peer.Subnets)}
		}
		known[addr] = a
		a.mu.Lock()
		if time.Since(a.at) > peerPause {
			out[addr] = a
		}
		a.mu.Unlock()
	}
	p.answers = known
	return peerapi.NewClient(p.own), out
}

func (a *peerAnswer) ask(ctx context.Context, client peerapi.Client, addr netip.Addr) {
	ctx, cancel := context.WithTimeout(ctx, peerLimit)
	defer cancel()
	agent := client.Host(addr)
	defer agent.Close()
	status, err := agent.Status(ctx)
	if err == nil && !slices.ContainsFunc(status.Lease.Subnets, func(s netip.Prefix) bool { return s.Addr() == addr }) {
		err = errors.New("the agent there has another subnet")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status, a.err, a.at = status, err, time.Now()
}
