package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/reconcile/memkernel"
	"github.com/weft-net/weft/internal/status"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/mem"
)

const vxlanConfig = `{"Network":"172.7.0.0/16","Backend":{"Type":"vxlan"}}`

// fixture is a host with an agent, in memory.
type fixture struct {
	t       *testing.T
	store   *mem.Store
	world   *memkernel.World
	addr    netip.Prefix
	dir     string
	name    string
	ready   int
	short   []status.Short
	reached string // "yes" or "no", as told last
	grace   time.Duration
	down    atomic.Bool  // its uplink
	held    netip.Prefix // its subnet, once known
	agent   *agent
	through store.Store // what the agent talks to instead of store; or nil
	cancel  context.CancelFunc
	done    chan error
}

// Interfaces and the like make the fixture its own host.Source.
func (s *fixture) Interfaces(context.Context) ([]host.Interface, error) {
	return []host.Interface{{Name: "eth0", Index: 2, MTU: 1500, Up: !s.down.Load(), Addrs: []host.Addr{{Prefix: s.addr}}}}, nil
}

func (s *fixture) Barriers(context.Context) ([]host.Barrier, error) { return nil, nil }
func (s *fixture) FastPath(context.Context) (host.FastPath, error)  { return host.FastPath{}, nil }

func (s *fixture) Params(context.Context, []string) (host.Params, error) { return host.Params{}, nil }

func (s *fixture) Routing(context.Context, []netip.Prefix) (host.Routing, error) {
	return host.Routing{Routes: []host.Route{
		{Dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Dev: "eth0", Gateway: netip.MustParseAddr("10.4.7.1"), Table: host.MainTable},
		{Dst: s.addr.Masked(), Dev: "eth0", Table: host.MainTable},
	}}, nil
}

func (s *fixture) RouteTo(context.Context, netip.Addr) (host.Route, error) {
	return host.Route{Dev: "eth0"}, nil
}

func newFixture(t *testing.T, st *mem.Store, addr string) *fixture {
	s := &fixture{
		t: t, store: st.Client(), world: memkernel.New("eth0"),
		addr: netip.MustParsePrefix(addr), dir: t.TempDir(), name: "host-" + addr,
	}
	return s
}

func (s *fixture) options() Options {
	var st store.Store = s.store
	if s.through != nil {
		st = s.through
	}
	recorder, events := status.NewRecorder(slog.DiscardHandler)
	return Options{
		Events: events,
		Store:  st, StoreKind: "memory", Kernel: s.world.Open(), Source: s,
		SubnetFile: filepath.Join(s.dir, "run", "subnet.env"), StateDir: filepath.Join(s.dir, "state"),
		RenewMargin: time.Hour, Hostname: s.name, Log: slog.New(recorder),
		Notify: func() { s.ready++ },
		Short:  func(told status.Short) { s.short = append(s.short, told) },
		Reachable: func(err error) {
			s.reached = "yes"
			if err != nil {
				s.reached = "no"
			}
		},
		Grace: s.grace,
	}
}

func (s *fixture) start() {
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

func (s *fixture) stop() {
	if s.cancel == nil {
		return
	}
	s.cancel()
	if err := <-s.done; !errors.Is(err, context.Canceled) {
		s.t.Error("the agent ended with", err)
	}
	s.cancel = nil
	if err := s.agent.lock.Close(); err != nil {
		s.t.Error(err)
	}
}

// losePower ends the agent without letting it write anything more, and empties
// the kernel.
func (s *fixture) losePower() {
	s.t.Helper()
	data, err := os.ReadFile(s.options().StateFile())
	if err != nil {
		s.t.Fatal(err)
	}
	s.reboot()
	if err := os.WriteFile(s.options().StateFile(), data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// reboot empties the kernel.
func (s *fixture) reboot() {
	s.stop()
	s.world = memkernel.New("eth0")
}

func (s *fixture) subnet() netip.Prefix {
	s.t.Helper()
	subnets := s.agent.board.Status().Lease.Subnets
	if len(subnets) == 0 {
		s.t.Fatalf("%s has no plan: %v", s.name, s.agent.board.Ready())
	}
	return subnets[0]
}

func (s *fixture) routes(to ...netip.Prefix) {
	s.t.Helper()
	var got []netip.Prefix
	for _, r := range s.world.State().Routes.Slice() {
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
func twoHosts(t *testing.T) (st *mem.Store, a, b *fixture) {
	t.Helper()
	st = configured(t, vxlanConfig)
	a, b = newFixture(t, st, "10.4.7.21/24"), newFixture(t, st, "10.4.7.22/24")
	a.start()
	b.start()
	settle(time.Second)
	return st, a, b
}

func settle(d time.Duration) {
	time.Sleep(d) // of the bubble's clock
	synctest.Wait()
}
