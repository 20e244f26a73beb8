package fabric

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netstate"
	"github.com/weft-net/weft/internal/subnetenv"
)

// agent is ready, or not for a reason.
type agent struct{ reason error }

func (a agent) Status() api.Status       { return api.Status{} }
func (a agent) Plan() *netstate.State    { return nil }
func (a agent) Paths() []api.PeerPath    { return nil }
func (a agent) Warning() string          { return "" }
func (a agent) Events(int64) []api.Event { return nil }
func (a agent) Ready() error             { return a.reason }

func TestTheSocketIsTheAgents(t *testing.T) {
	if socketName != api.SocketName {
		t.Errorf("asks on %s, the agent listens on %s", socketName, api.SocketName)
	}
}

// serve has an agent answer in a new run directory.
func serve(t *testing.T, a api.Agent) (runDir string) {
	t.Helper()
	runDir = t.TempDir()
	ln, err := api.Listen(filepath.Join(runDir, api.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- api.Serve(t.Context(), ln, api.Local(a, nil)) }()
	t.Cleanup(func() {
		if err := <-done; err != nil { // t.Context has ended
			t.Error(err)
		}
	})
	return runDir
}

func subnetFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "subnet.env")
	env := subnetenv.Env{Subnets: []netip.Prefix{netip.MustParsePrefix("10.5.1.0/24")}, MTU: 1450}
	if err := subnetenv.Write(path, env); err != nil {
		t.Fatal(err)
	}
	return path
}

func code(err error) uint {
	if known, ok := errors.AsType[*types.Error](err); ok {
		return known.Code
	}
	return 0
}

func TestStatus(t *testing.T) {
	for name, tc := range map[string]struct {
		subnets func(*testing.T) string
		run     func(*testing.T) string
		code    uint
		says    string
	}{
		"ready": {subnetFile, func(t *testing.T) string { return serve(t, agent{}) }, 0, ""},
		"not ready": {subnetFile, func(t *testing.T) string { return serve(t, agent{errors.New("no lease is held")}) },
			types.ErrLimitedConnectivity, "503: weft is not ready: no lease is held"},
		"no agent": {subnetFile, func(t *testing.T) string { return t.TempDir() },
			types.ErrLimitedConnectivity, "no weft agent answers on /"},
		"no subnet": {func(t *testing.T) string { return filepath.Join(t.TempDir(), "subnet.env") }, func(t *testing.T) string { return serve(t, agent{}) },
			types.ErrPluginNotAvailable, "is the weft agent running here?"},
		"not HTTP": {subnetFile, babble, types.ErrLimitedConnectivity, "is not HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Status(t.Context(), tc.subnets(t), tc.run(t))
			if code(err) != tc.code || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v with code %d, want code %d and %q", err, code(err), tc.code, tc.says)
			}
		})
	}
}

// babble answers with something else.
func babble(t *testing.T) (runDir string) {
	t.Helper()
	runDir = t.TempDir()
	ln, err := net.Listen("unix", filepath.Join(runDir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, 1024))
		_, _ = conn.Write([]byte("220 mail.example ESMTP\r\n\r\n"))
		_ = conn.Close()
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	return runDir
}

func TestSubnets(t *testing.T) {
	for name, tc := range map[string]struct {
		content string
		code    uint
		says    string
	}{
		"broken":      {"FLANNEL_SUBNET=10.5.1.300/24\n", types.ErrIOFailure, "FLANNEL_SUBNET=10.5.1.300/24"},
		"empty":       {"", types.ErrTryAgainLater, "names no subnet"},
		"of no use":   {"FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_MTU=1450\n", types.ErrTryAgainLater, "names no subnet"},
		"as it is":    {"FLANNEL_SUBNET=10.5.1.1/24\nFLANNEL_MTU=1450\n", 0, ""},
		"without MTU": {"FLANNEL_SUBNET=10.5.1.1/24\n", types.ErrTryAgainLater, "FLANNEL_MTU"},
		"odd MTU":     {"FLANNEL_SUBNET=10.5.1.1/24\nFLANNEL_MTU=-5\n", types.ErrTryAgainLater, "FLANNEL_MTU"},
		"of IPv6 too": {"FLANNEL_SUBNET=10.5.1.1/24\nFLANNEL_IPV6_SUBNET=fd05:0:0:1::1/64\nFLANNEL_MTU=1430\n", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "subnet.env")
			if err := os.WriteFile(path, []byte(tc.content), 0o644); err != nil {
				t.Fatal(err)
			}
			env, err := Subnets(path)
			if code(err) != tc.code || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v with code %d, want code %d and %q", err, code(err), tc.code, tc.says)
			}
			if err == nil && len(env.Subnets) == 0 {
				t.Error("no subnet and no error")
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("HTTP/1.0 503 Service Unavailable\r\nA: b\r\n\r\nweft is not ready\n"))
	f.Add([]byte("HTTP/1.0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		status, sentence, err := parse(answer)
		if err == nil && (status == "" || strings.ContainsAny(sentence, "\r\n")) {
			t.Errorf("%q was read as %q, %q", answer, status, sentence)
		}
	})
}
