package peerapi_test

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/check"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/peerapi"
	"github.com/weft-net/weft/internal/plan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// twin is an agent that knows its name alone.
type twin struct{ api.Agent }

func (twin) Status() api.Status { return api.Status{Hostname: "one", State: api.StateReady} }

func leaseOf(subnets ...string) lease.Lease {
	l := lease.Lease{Attrs: lease.Attrs{Backend: plan.VXLAN}}
	for _, s := range subnets {
		l.Subnets = append(l.Subnets, netip.MustParsePrefix(s))
	}
	return l
}

func TestHosts(t *testing.T) {
	vacant := leaseOf("10.5.9.0/24")
	vacant.Reserved, vacant.Backend = true, ""
	in := &plan.Input{Self: leaseOf("10.5.1.0/24"), Peers: lease.SetOf(
		leaseOf("10.5.0.0/24"), leaseOf("10.5.1.0/24"), leaseOf("10.5.2.0/24", "fd05:0:0:2::/64"), leaseOf("10.5.4.0/26"), leaseOf("fd05:0:0:7::/64"), vacant)}
	for addr, want := range map[string]bool{
		"10.5.0.0": true, "10.5.2.0": true, "10.5.4.0": true, "fd05:0:0:7::": true,
		"10.5.1.0": false, "10.5.2.1": false, "10.5.2.128": false, "10.5.3.0": false, "10.5.9.0": false, "10.0.0.0": false, "0.0.0.0": false,
		"fd05:0:0:2::": false, "fd05:0:0:7::1": false, "fd05::": false, "::": false,
	} {
		if got := peerapi.IsHost(in, netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}

// network is one of two hosts, whose subnets are of the loopback device.
func network(t *testing.T, port uint16) peerapi.Update {
	t.Helper()
	in := &plan.Input{
		Net: netconf.Network{PeerPort: port}, Self: leaseOf("127.0.7.0/24"), Peers: lease.SetOf(leaseOf("127.0.7.0/24"), leaseOf("127.0.8.0/24")),
	}
	b := netstate.Builder{Addrs: []netstate.Addr{{Prefix: netip.MustParsePrefix("127.0.7.0/32"), Dev: "flannel.1"}}}
	desired, err := b.State()
	if err != nil {
		t.Fatal(err)
	}
	return peerapi.Update{Input: in, Desired: desired}
}

// freePort returns a port that nobody had a moment ago.
func freePort(t *testing.T) uint16 {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.7.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return netip.MustParseAddrPort(ln.Addr().String()).Port()
}

// run runs a server until the test ends, and returns what waits until it answers at
// an address.
func run(t *testing.T, s *peerapi.Server) (until func(netip.AddrPort)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, twin{}) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return func(want netip.AddrPort) {
		t.Helper()
		for s.Addr() != want {
			if t.Context().Err() != nil {
				t.Fatal("the test has ended")
			}
			s.Updates.Put(network(t, want.Port()))
		}
	}
}

func TestHostsAreAnsweredAndNobodyElse(t *testing.T) {
	var checks atomic.Int32
	s := peerapi.New(func(context.Context, api.Agent) []check.Result {
		checks.Add(1)
		return []check.Result{{Name: "clock", State: check.Failed, Text: "it is wrong"}}
	}, slog.New(slog.DiscardHandler))
	until := run(t, s)
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.7.0"), freePort(t))
	until(at)

	peer := peerapi.NewClient(netip.AddrPortFrom(netip.MustParseAddr("127.0.8.0"), at.Port()))
	for range 3 {
		answer, err := peer.Check(t.Context(), at.Addr())
		if err != nil || answer.Hostname != "one" || answer.Passed || len(answer.Results) != 1 || answer.Results[0].Text != "it is wrong" {
			t.Fatalf("the answer is %+v, %v", answer, err)
		}
	}
	if n := checks.Load(); n != 1 {
		t.Errorf("%d checks were carried out for 3 questions in a row", n)
	}
	agent := peer.Host(at.Addr())
	defer agent.Close()
	if status, err := agent.Status(t.Context()); err != nil || status.Hostname != "one" {
		t.Errorf("status %+v, %v", status, err)
	}
	if _, err := agent.Plan(t.Context()); err == nil {
		t.Error("other hosts are told the plan")
	}
	for _, stranger := range []string{"127.0.7.0", "127.0.8.1", "127.0.9.0", "127.0.0.1"} {
		_, err := peerapi.NewClient(netip.AddrPortFrom(netip.MustParseAddr(stranger), at.Port())).Check(t.Context(), at.Addr())
		if err == nil {
			t.Errorf("%s is answered", stranger)
		}
	}
	until(netip.AddrPort{})
	if _, err := peer.Check(t.Context(), at.Addr()); err == nil {
		t.Error("it answers although the config has no port")
	}
}
