package api_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/netstate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs h on ln until the test ends, and checks that it ends well.
func serve(t *testing.T, ln net.Listener, h http.Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- api.Serve(ctx, ln, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// start serves a on a socket of its own and returns a client.
func start(t *testing.T, a api.Agent) (*api.Client, string) {
	t.Helper()
	dir := t.TempDir()
	ln, err := api.Listen(filepath.Join(dir, api.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	serve(t, ln, api.Local(a, nil))
	c, err := api.DialDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, dir
}

func TestStatusArrivesAsItWasSaid(t *testing.T) {
	want := sample()
	c, _ := start(t, &twin{status: want})
	got, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("status came back as\n%+v\nwant\n%+v", got, want)
	}
}

func TestPlanArrivesAsItIs(t *testing.T) {
	text := "link    flannel.1 vxlan vni 1 local 192.0.2.1 dev eth0 port 8472 nolearning mtu 1450 mac 0a:4f:76:eb:12:f5 up\n" +
		"route   10.5.2.0/24 via 192.0.2.2 dev eth0\n"
	plan, err := netstate.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c, _ := start(t, &twin{plan: plan})
	got, err := c.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != text {
		t.Errorf("plan came back as\n%s\nwant\n%s", got, text)
	}
}

func TestPlanBeforeTheFirst(t *testing.T) {
	c, _ := start(t, &twin{})
	_, err := c.Plan(t.Context())
	refused, ok := errors.AsType[*api.RefusedError](err)
	if !ok || !strings.Contains(refused.Message, "no plan yet") || refused.Hint() == "" {
		t.Errorf("got %v, want a refusal that says that there is no plan yet, and what to do", err)
	}
}

func TestLocalRefuses(t *testing.T) {
	for _, test := range []struct {
		method, path string
		code         int
		says         string
	}{
		{"GET", "/", 404, "unknown path /"},
		{"GET", "/v2/status", 404, "may differ"},
		{"POST", "/v1/status", 405, "POST is not supported"},
		{"DELETE", "/v1/plan", 405, "DELETE is not supported"},
	} {
		rec := httptest.NewRecorder()
		api.Local(&twin{}, nil).ServeHTTP(rec, httptest.NewRequest(test.method, test.path, nil))
		if rec.Code != test.code || !strings.Contains(rec.Body.String(), test.says) {
			t.Errorf("%s %s: %d %s, want %d and %q", test.method, test.path, rec.Code, rec.Body, test.code, test.says)
		}
		if got := rec.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("%s %s: errors come as %q, want JSON", test.method, test.path, got)
		}
	}
}

func TestSocketIsForItsOwner(t *testing.T) {
	_, dir := start(t, &twin{})
	info, err := os.Stat(filepath.Join(dir, api.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has mode %v, want 0600", info.Mode().Perm())
	}
}

func TestSecondAgentIsRefused(t *testing.T) {
	c, dir := start(t, &twin{status: sample()})
	_, err := api.Listen(filepath.Join(dir, api.SocketName))
	if _, ok := errors.AsType[*api.RunningError](err); !ok {
		t.Fatalf("a second Listen gave %v, want a RunningError", err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the first agent was disturbed: %v", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	socket := filepath.Join(t.TempDir(), api.SocketName)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false) // as after a kill -9
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	ln, err := api.Listen(socket)
	if err != nil {
		t.Fatalf("the stale socket was not replaced: %v", err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := api.Listen(socket)
	if err != nil {
		t.Fatalf("the lock outlived its agent: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestListenSaysWhatIsWrongWithThePath(t *testing.T) {
	_, err := api.Listen("/" + strings.Repeat("x", 107))
	if err == nil || !strings.Contains(err.Error(), "--run-dir") {
		t.Errorf("got %v, want an error that names --run-dir", err)
	}
}

func TestDialWithoutAgent(t *testing.T) {
	_, err := api.DialDir(t.Context(), t.TempDir())
	none, ok := errors.AsType[*api.NotRunningError](err)
	if !ok || !strings.Contains(none.Hint(), "weft up") {
		t.Errorf("got %v, want a NotRunningError that says how to start one", err)
	}
}

func TestEventsAfter(t *testing.T) {
	client, _ := start(t, &twin{})
	for after, want := range map[int64]int{0: 2, 1: 1, 2: 0} {
		events, err := client.Events(t.Context(), after)
		if err != nil || len(events) != want || want > 0 && events[0].Number != after+1 {
			t.Errorf("after %d: %v, %v", after, events, err)
		}
	}
}
