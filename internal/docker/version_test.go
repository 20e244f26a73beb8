package docker

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"testing"
)

func TestForVersion(t *testing.T) {
	for version, want := range map[string]struct{ sets, notes bool }{
		"":            {},
		"dev":         {},
		"20.10.24":    {},
		"27.5.1":      {},
		"28.0.4":      {notes: true},
		"28.1.1+ce":   {notes: true},
		"28.2.0-rc.1": {sets: true},
		"28.2.2":      {sets: true},
		"28.10.0":     {sets: true},
		"29.1.3":      {sets: true},
	} {
		more, note := ForVersion(version)
		if (len(more) == 1 && more[0] == Setting{"allow-direct-routing", "true"}) != want.sets || (note != "") != want.notes {
			t.Errorf("%q: %v, %q", version, more, note)
		}
	}
}

func TestPrintedVersion(t *testing.T) {
	for text, want := range map[string]string{
		"Docker version 28.2.2, build 45873be\n":       "28.2.2",
		"Docker version 26.1.5+dfsg1, build a72d7cd\n": "26.1.5+dfsg1",
		"podman version 5.4.2\n":                       "",
		"Docker version ":                              "",
	} {
		if got := PrintedVersion(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestRunningVersion(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "docker.sock")
	if _, err := RunningVersion(t.Context(), socket); err == nil {
		t.Error("a version without dockerd")
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	answer := `{"Platform":{"Name":""},"Version":"28.2.2","ApiVersion":"1.50"}`
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			fmt.Fprintln(w, answer)
		}
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	if got, err := RunningVersion(t.Context(), socket); got != "28.2.2" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, answer = range []string{"", "{}", "<html>"} {
		if got, err := RunningVersion(t.Context(), socket); err == nil {
			t.Errorf("%q read from %q", got, answer)
		}
	}
}
