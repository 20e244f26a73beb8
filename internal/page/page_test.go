package page

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/api"
)

// twin is an agent in memory.
type twin struct {
	status api.Status
	events []api.Event
}

func (a *twin) Status(context.Context) (api.Status, error) { return a.status, nil }
func (a *twin) Events(_ context.Context, after int64) ([]api.Event, error) {
	var out []api.Event
	for _, e := range a.events {
		if e.Number > after {
			out = append(out, e)
		}
	}
	return out, nil
}

// start serves a page until the test ends, and returns its address and token.
func start(t *testing.T, s Source) (base, token string) {
	t.Helper()
	server, err := Listen(0, s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	base, token, _ = strings.Cut(server.URL(), "/#token=")
	return base, token
}

// send makes a request, and returns its answer with the body read.
func send(t *testing.T, method, url, body string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// enter shows a token and returns the session's cookie.
func enter(t *testing.T, base, token string) *http.Cookie {
	t.Helper()
	resp, body := send(t, "POST", base+"/api/session", `{"token":"`+token+`"}`, nil)
	if resp.StatusCode != http.StatusNoContent || len(resp.Cookies()) != 1 {
		t.Fatalf("the token was answered by %s %s", resp.Status, body)
	}
	return resp.Cookies()[0]
}

func echo(_ context.Context, host string, stdin []byte, args ...string) (Output, error) {
	return Output{Stdout: []byte(`{"args":"` + strings.Join(args, " ") + `","stdin":` + orNull(stdin) + `,"host":"` + host + `"}`)}, nil
}

func orNull(b []byte) string {
	if len(b) == 0 {
		return "null"
	}
	return string(b)
}

func sourceOf(a *twin) Source {
	return Source{Agents: func(context.Context) ([]Agent, error) { return []Agent{{Host: "h1", Asker: a}}, nil }, Run: echo}
}

func TestTokenLetsInOnce(t *testing.T) {
	base, token := start(t, sourceOf(&twin{}))
	if resp, _ := send(t, "GET", base+"/api/config", "", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a session: %s", resp.Status)
	}
	if resp, _ := send(t, "POST", base+"/api/session", `{"token":"guess"}`, nil); resp.StatusCode != http.StatusForbidden {
		t.Errorf("with a wrong token: %s", resp.Status)
	}
	cookie := enter(t, base, token)
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("the cookie is %v", cookie)
	}
	if resp, body := send(t, "GET", base+"/api/config", "", func(r *http.Request) { r.AddCookie(cookie) }); resp.StatusCode != http.StatusOK {
		t.Errorf("with a session: %s %s", resp.Status, body)
	}
	if resp, _ := send(t, "POST", base+"/api/session", `{"token":"`+token+`"}`, nil); resp.StatusCode != http.StatusForbidden {
		t.Errorf("with the token again: %s", resp.Status)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	base, token := start(t, sourceOf(&twin{}))
	cookie := enter(t, base, token)
	for name, test := range map[string]struct {
		method, path string
		change       func(*http.Request)
		code         int
	}{
		"another name for loopback": {"GET", "/", func(r *http.Request) { r.Host = "rebound.example:80" }, http.StatusMisdirectedRequest},
		"another page":              {"POST", "/api/session", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, http.StatusForbidden},
		"another origin":            {"POST", "/api/session", func(r *http.Request) { r.Header.Set("Origin", "https://example.org") }, http.StatusForbidden},
		"cutting what is no lab":    {"POST", "/api/lab/cut", func(r *http.Request) { r.AddCookie(cookie) }, http.StatusMethodNotAllowed},
		"writing":                   {"POST", "/api/config", func(r *http.Request) { r.AddCookie(cookie) }, http.StatusMethodNotAllowed},
	} {
		resp, body := send(t, test.method, base+test.path, "{}", test.change)
		if resp.StatusCode != test.code {
			t.Errorf("%s: %s %s, want %d", name, resp.Status, body, test.code)
		}
	}
	resp, _ := send(t, "GET", base+"/", "", func(r *http.Request) { r.Host = "localhost:9999" })
	if csp := resp.Header.Get("Content-Security-Policy"); resp.StatusCode != http.StatusOK || !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("a forwarded port: %s, policy %q", resp.Status, csp)
	}
}

func TestQuestionsRunCommandsThatChangeNothing(t *testing.T) {
	base, token := start(t, sourceOf(&twin{}))
	cookie := enter(t, base, token)
	for path, want := range map[string]string{
		"/api/explain?src=10.1.2.3&dst=-h&port=53":                    `explain -o json --port=53 -- 10.1.2.3 -h`,
		"/api/plan?host=h2":                                           `"host":"h2"`,
		"/api/drift":                                                  `plan --diff -o json`,
		"/api/preflight?set=Backend.VNI=2&unset=Guard":                `config set --dry-run --force -o json --unset=Guard -- Backend.VNI=2`,
		"/api/preflight?document=%7B%22Network%22:%2210.5.0.0/16%22}": `"stdin":{"Network":"10.5.0.0/16"}`,
		"/api/preflight?set=/etc/shadow":                              `KEY=VALUE`,
		"/api/preflight?document=%7B":                                 `not valid JSON`,
		"/api/preflight?unset=-x":                                     `is not a key`,
		"/api/explain?src=10.1.2.3":                                   `are needed`,
	} {
		if _, body := send(t, "GET", base+path, "", func(r *http.Request) { r.AddCookie(cookie) }); !strings.Contains(body, want) {
			t.Errorf("%s gave %s, want %s", path, body, want)
		}
	}
}

func TestStreamTellsThePictureAndEvents(t *testing.T) {
	a := &twin{status: reportOf().Status, events: []api.Event{{Number: 7, At: time.Unix(50, 0), Kind: "drift", Message: "restored it", By: "ip[99]"}}}
	base, token := start(t, sourceOf(a))
	cookie := enter(t, base, token)
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/api/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(cookie)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	want := map[string]string{"event: fabric": `"name":"h2"`, "event: events": `"by":"ip[99]"`}
	name := ""
	for lines := bufio.NewScanner(resp.Body); len(want) > 0 && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "event: ") {
			name = lines.Text()
		}
		if text, ok := want[name]; ok && strings.HasPrefix(lines.Text(), "data: ") {
			if !strings.Contains(lines.Text(), text) {
				t.Errorf("%s has no %s: %s", name, text, lines.Text())
			}
			delete(want, name)
		}
	}
	if len(want) > 0 {
		t.Errorf("the stream ended without %v", want)
	}
}
