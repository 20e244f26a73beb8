package cli_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lab"
)

// TestHealthPortTellsOthersLittle asks a real agent at its host's address, as
// others do, and over the loopback device.
func TestHealthPortTellsOthersLittle(t *testing.T) {
	host, run := onHost(t)
	expect(t, run, true, "stored", "config", "set", `{"Network": "10.5.0.0/16"}`)
	const elsewhere, here = "http://192.0.2.11:8081", "http://127.0.0.1:8081"
	for _, tc := range []struct {
		flag, url string
		code      int
		has, not  string
	}{
		{"--metrics=local", elsewhere, http.StatusForbidden, "--metrics=weft", "weft_ready"},
		{"--metrics=local", here, http.StatusOK, "go_goroutines", "--metrics"},
		{"--metrics=weft", elsewhere, http.StatusOK, "\nweft_ready ", "go_"},
		{"--metrics=weft", elsewhere, http.StatusOK, "\nweft_ready ", "process_"},
		{"--metrics=weft", here, http.StatusOK, "process_", "--metrics"},
		{"--metrics=all", elsewhere, http.StatusOK, "go_goroutines", "--metrics"},
	} {
		t.Run(tc.flag+" "+tc.url, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			agent, err := host.StartAgent(ctx, "--healthz-port=8081", tc.flag)
			if err != nil {
				t.Fatal(err)
			}
			code, body := fetch(t, host, tc.url+"/metrics")
			if code != tc.code || !strings.Contains(body, tc.has) || strings.Contains(body, tc.not) {
				t.Errorf("%d, want %d and %q and not %q in:\n%s", code, tc.code, tc.has, tc.not, body)
			}
			if code, body := fetch(t, host, elsewhere+"/healthz"); code != http.StatusOK {
				t.Errorf("/healthz: %d %s", code, body)
			}
			if err := agent.Stop(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// fetch asks from the host itself.
func fetch(t *testing.T, host *lab.Host, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
			err = host.Do(func() (err error) {
				conn, err = (&net.Dialer{}).DialContext(ctx, network, addr)
				return err
			})
			return conn, err
		},
	}}
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
