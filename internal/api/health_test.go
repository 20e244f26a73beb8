package api_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weft-net/weft/internal/api"
)

// get asks the health server of a over TCP.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func startHealth(t *testing.T, a api.Agent) string {
	t.Helper()
	ln, err := api.ListenHealth(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	serve(t, ln, api.Health(a, api.MetricsLocal))
	return "http://" + ln.Addr().String()
}

func TestHealthFollowsTheAgent(t *testing.T) {
	a := &twin{ready: errors.New("the lease is not held")}
	url := startHealth(t, a)
	if code, _ := get(t, url+"/healthz"); code != http.StatusOK {
		t.Errorf("/healthz gave %d while the process lives", code)
	}
	code, body := get(t, url+"/readyz")
	if code != http.StatusServiceUnavailable || !strings.Contains(body, "the lease is not held") {
		t.Errorf("/readyz gave %d %q, want 503 and the reason", code, body)
	}
	a.set(func(a *twin) { a.ready = nil })
	if code, body := get(t, url+"/readyz"); code != http.StatusOK {
		t.Errorf("/readyz gave %d %q for an agent that is ready", code, body)
	}
	a.set(func(a *twin) { a.warns = "172.7.22.0/24: does not answer any more" })
	if code, body := get(t, url+"/readyz"); code != http.StatusOK || body != "weft is ready, but degraded: 172.7.22.0/24: does not answer any more\n" {
		t.Errorf("/readyz gave %d %q for an agent that is degraded", code, body)
	}
	a.set(func(a *twin) { a.ready = errors.New("a row failed") })
	if code, _ := get(t, url+"/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz gave %d for an agent that is no longer ready", code)
	}
}

func TestMetricsShowTheStatus(t *testing.T) {
	url := startHealth(t, &twin{status: sample()})
	_, body := get(t, url+"/metrics")
	for _, line := range []string{
		`weft_agent_info{backend="vxlan",store="etcd",version="v1"} 1`,
		`weft_ready 1`,
		`weft_passes_total 9`,
		`weft_ops_total{kind="route",verb="add"} 4`,
		`weft_repairs_total{kind="route",verb="add"} 2`,
		`weft_drift_total{change="removed",object="route"} 3`,
		`weft_op_failures_total 1`,
		`weft_rows 5`,
		`weft_rows_failed 1`,
		`weft_last_pass_timestamp_seconds 2000`,
		`weft_last_pass_duration_seconds 0.003`,
		`weft_peers{path="direct"} 1`,
		`weft_peers{path="vxlan"} 0`,
		`weft_problems 1`,
		`weft_store_up 1`,
		`weft_store_revision 7`,
		`weft_lease_held 1`,
	} {
		if !strings.Contains(body, "\n"+line+"\n") {
			t.Errorf("/metrics has no line %q", line)
		}
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if !strings.Contains(body, "\n"+name+" ") {
			t.Errorf("/metrics says nothing of %s", name)
		}
	}
}

func TestBusyHealthPort(t *testing.T) {
	ln, err := api.ListenHealth(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = api.ListenHealth(netip.MustParseAddrPort(ln.Addr().String()))
	if err == nil || !strings.Contains(err.Error(), "--healthz-port") {
		t.Errorf("got %v, want an error that names --healthz-port", err)
	}
}

// TestHealthHasRoomForFewClients opens more connections than are served. Those
// beyond wait, and use no file descriptor of the agent.
func TestHealthHasRoomForFewClients(t *testing.T) {
	ln, err := api.ListenHealth(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	counted := &counter{Listener: ln}
	serve(t, counted, api.Health(&twin{}, api.MetricsLocal))
	for range 300 {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	for counted.accepted.Load() < 128 {
		runtime.Gosched()
	}
	if n := counted.accepted.Load(); n != 128 {
		t.Errorf("%d connections were accepted", n)
	}
}

// counter counts the connections that were accepted.
type counter struct {
	net.Listener
	accepted atomic.Int32
}

func (c *counter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
	}
	return conn, err
}

func TestUnknownMetricsAreRefusedToOthers(t *testing.T) {
	rec := httptest.NewRecorder()
	api.Health(&twin{status: sample()}, "").ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if rec.Code != http.StatusForbidden {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	rec = httptest.NewRecorder()
	api.Health(&twin{ready: errors.New("the secret")}, api.MetricsAll).ServeHTTP(rec, httptest.NewRequest("GET", "/readyz", nil))
	if rec.Code != http.StatusServiceUnavailable || strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("/readyz tells others: %d %s", rec.Code, rec.Body)
	}
}
