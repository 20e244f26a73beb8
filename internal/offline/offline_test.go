package offline_test

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/agent"
	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/offline"
	"github.com/weft-net/weft/internal/reconcile/memkernel"
	"github.com/weft-net/weft/internal/status"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/mem"
)

// source is a host with one interface.
type source struct{}

func (source) Interfaces(context.Context) ([]host.Interface, error) {
	addr := host.Addr{Prefix: netip.MustParsePrefix("10.4.7.21/24")}
	return []host.Interface{{Name: "eth0", Index: 2, MTU: 1500, Up: true, Addrs: []host.Addr{addr}}}, nil
}

func (source) Barriers(context.Context) ([]host.Barrier, error) { return nil, nil }
func (source) FastPath(context.Context) (host.FastPath, error)  { return host.FastPath{}, nil }

func (source) Params(context.Context, []string) (host.Params, error) { return host.Params{}, nil }

func (source) Routing(context.Context, []netip.Prefix) (host.Routing, error) {
	return host.Routing{Routes: []host.Route{
		{Dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Dev: "eth0", Gateway: netip.MustParseAddr("10.4.7.1"), Table: host.MainTable},
		{Dst: netip.MustParsePrefix("10.4.7.0/24"), Dev: "eth0", Table: host.MainTable},
	}}, nil
}

func (source) RouteTo(context.Context, netip.Addr) (host.Route, error) {
	return host.Route{Dev: "eth0"}, nil
}

// fixture is the options of an agent in a network with one peer, and the
// kernel of its host.
func fixture(t *testing.T) (agent.Options, *memkernel.World) {
	st := mem.New()
	if err := st.SetConfig(t.Context(), []byte(`{"Network":"172.7.0.0/16","Backend":{"Type":"vxlan"}}`), store.AnyRevision); err != nil {
		t.Fatal(err)
	}
	st.Put("subnets/172.7.22.0-24", []byte(`{"PublicIP":"10.4.7.22","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:22"}}`), time.Hour)
	world, dir := memkernel.New("eth0"), t.TempDir()
	_, events := status.NewRecorder(slog.DiscardHandler)
	return agent.Options{
		Events: events,
		Store:  st, Kernel: world.Open(), Source: source{}, Grace: agent.DefaultGrace, RenewMargin: time.Hour,
		SubnetFile: filepath.Join(dir, "subnet.env"), StateDir: filepath.Join(dir, "state"), RunDir: filepath.Join(dir, "run"),
		Hostname: "h1", Log: slog.New(slog.DiscardHandler),
	}, world
}

// run runs an agent until it can be reached, calls then, and stops it.
func run(t *testing.T, o agent.Options, then func()) {
	t.Helper()
	if err := os.MkdirAll(o.RunDir, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	o.Notify = func() { close(ready) }
	go func() { done <- agent.Run(ctx, o) }()
	select {
	case <-ready:
		then()
	case err := <-done:
		t.Fatal("the agent ended:", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAPlanWithoutALeaseChangesNothing(t *testing.T) {
	o, world := fixture(t)
	p, err := offline.Plan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Want.Routes.Find(netstate.Route{Dst: netip.MustParsePrefix("172.7.22.0/24")}); !p.Chosen || !ok {
		t.Errorf("%+v\n%s", p, p.Want)
	}
	if _, err := os.Stat(o.StateDir); err == nil || len(world.Applied()) != 0 {
		t.Error("computing the plan left something behind")
	}
}

// What a plan says is what the agent does, while the agent runs, after it has
// ended, and when the store is away.
func TestThePlanIsTheAgents(t *testing.T) {
	o, world := fixture(t)
	check := func(when string) {
		t.Helper()
		p, err := offline.Plan(t.Context(), o)
		if err != nil {
			t.Fatal(when, err)
		}
		if ops := netstate.Diff(p.Have, p.Want); len(ops) > 0 || p.Chosen || p.Want.Routes.Len() != 1 {
			t.Errorf("%s the plan has %v beyond\n%s", when, ops, world.State())
		}
	}
	run(t, o, func() { check("beside the agent") })
	check("after the agent")
	o.Store = nil
	check("without a store")
}

func TestCleanLeavesNothing(t *testing.T) {
	o, world := fixture(t)
	run(t, o, func() {
		if _, err := offline.Clean(t.Context(), o, offline.Sweep{}); err == nil || !strings.Contains(err.Error(), o.StateDir) {
			t.Errorf("cleaning under a running agent says %v", err)
		}
	})
	before := world.State().String()
	c, err := offline.Clean(t.Context(), o, offline.Sweep{Dry: true})
	if err != nil || len(c.Ops) == 0 || len(c.Files) != 3 || world.State().String() != before {
		t.Fatalf("dry run: %+v, %v", c, err)
	}
	if c, err = offline.Clean(t.Context(), o, offline.Sweep{}); err != nil {
		t.Fatal(err)
	}
	if left := world.State(); left.Routes.Len()+left.Neighs.Len()+left.FDB.Len() != 0 || strings.Contains(left.String(), "flannel") {
		t.Errorf("left over:\n%s", left)
	}
	if c, err = offline.Clean(t.Context(), o, offline.Sweep{}); err != nil || len(c.Ops)+len(c.Files) != 0 {
		t.Errorf("a second time: %+v, %v", c, err)
	}
}
