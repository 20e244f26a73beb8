package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/reconcile/memkernel"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/mem"
)

const vxlanConfig = `{"Network":"172.7.0.0/16","Backend":{"Type":"vxlan"}}`

// station is a host with an agent, in memory.
type station struct {
	t      *testing.T
	store  *mem.Store
	world  *memkernel.World
	addr   netip.Prefix
	dir    string
	name   string
	ready  int
	linger time.Duration
	down   atomic.Bool  // its uplink
	held   netip.Prefix // its subnet, once known
	agent  *steerer
	cancel context.CancelFunc
	done   chan error
}

// Interfaces and the like make the station its own host.Source.
func (s *station) Interfaces(context.Context) ([]host.Interface, error) {
	return []host.Interface{{Name: "eth0", Index: 2, MTU: 1500, Up: !s.down.Load(), Addrs: []host.Addr{{Prefix: s.addr}}}}, nil
}

func (s *station) Barriers(context.Context) ([]host.Barrier, error) { return nil, nil }

func (s *station) DefaultRoutes(context.Context) ([]host.DefaultRoute, error) {
	return []host.DefaultRoute{{Family: netconf.V4, Dev: "eth0"}}, nil
}

func (s *station) RouteTo(context.Context, netip.Addr) (string, error) { return "eth0", nil }

func newStation(t *testing.T, st *mem.Store, addr string) *station {
	s := &station{
		t: t, store: st.Client(), world: memkernel.New("eth0"),
		addr: netip.MustParsePrefix(addr), dir: t.TempDir(), name: "host-" + addr,
	}
	return s
}

func (s *station) options() Options {
	return Options{
		Store: s.store, StoreKind: "memory", Kernel: s.world.Open(), Source: s,
		SubnetFile: filepath.Join(s.dir, "run", "subnet.env"), StateDir: filepath.Join(s.dir, "state"),
		RenewMargin: time.Hour, Hostname: s.name, Log: slog.New(slog.DiscardHandler),
		Notify: func() { s.ready++ }, Linger: s.linger,
	}
}

func (s *station) start() {
	s.t.Helper()
	var err error
	if s.agent, err = prepare(s.options()); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	s.cancel, s.done = cancel, make(chan error, 1)
	go func() { s.done <- s.agent.work(ctx) }()
	s.t.Cleanup(s.stop)
	synctest.Wait()
}

func (s *station) stop() {
	if s.cancel == nil {
		return
	}
	s.cancel()
	if err := <-s.done; !errors.Is(err, context.Canceled) {
		s.t.Error("the agent ended with", err)
	}
	s.cancel = nil
}

// reboot empties the kernel.
func (s *station) reboot() {
	s.stop()
	s.world = memkernel.New("eth0")
}

func (s *station) subnet() netip.Prefix {
	s.t.Helper()
	in := s.agent.board.input()
	if in == nil {
		s.t.Fatalf("%s has no plan: %v", s.name, s.agent.board.Ready())
	}
	return in.Self.Subnets[0]
}

func (s *station) routes(to ...netip.Prefix) {
	s.t.Helper()
	var got []netip.Prefix
	for r := range s.world.State().Routes.All() {
		got = append(got, r.Dst)
	}
	slices.SortFunc(to, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	if !slices.Equal(got, to) {
		s.t.Errorf("%s has routes to %v, want %v", s.name, got, to)
	}
}

func configured(t *testing.T, doc string) *mem.Store {
	st := mem.New()
	if err := st.SetConfig(t.Context(), []byte(doc), store.AnyRevision); err != nil {
		t.Fatal(err)
	}
	return st
}

// twoHosts returns the store of a vxlan network and its two hosts, which have
// found each other.
func twoHosts(t *testing.T) (st *mem.Store, a, b *station) {
	t.Helper()
	st = configured(t, vxlanConfig)
	a, b = newStation(t, st, "10.4.7.21/24"), newStation(t, st, "10.4.7.22/24")
	a.start()
	b.start()
	settle(time.Second)
	return st, a, b
}

func settle(d time.Duration) {
	time.Sleep(d) // of the bubble's clock
	synctest.Wait()
}
