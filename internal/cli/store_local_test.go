package cli

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestLocalEtcd asks an etcd, another server and nobody.
func TestLocalEtcd(t *testing.T) {
	serve := func(body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for url, want := range map[string]bool{
		serve(`{"etcdserver":"3.6.1","etcdcluster":"3.6.0"}`): true,
		serve(`<html>`):               false,
		"http://" + l.Addr().String(): false,
	} {
		if got := isEtcd(t.Context(), url); got != want {
			t.Errorf("%s: %t, want %t", url, got, want)
		}
	}
}
