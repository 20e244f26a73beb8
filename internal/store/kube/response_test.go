package kube

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// silent serves responses that begin with text and never end. Without text not
// even the header comes.
func silent(t *testing.T, text string, timeout time.Duration) *client {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text != "" {
			_, _ = io.WriteString(w, text)
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	c, err := newClient(Options{APIURL: server.URL, RequestTimeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func TestASilentServerIsGivenUp(t *testing.T) {
	c := silent(t, "", 50*time.Millisecond)
	_, err := c.stream(t.Context(), c.nodes("", metav1.ListOptions{}), time.Hour)
	if e, ok := errors.AsType[*silentError](err); !ok || e.after != 50*time.Millisecond {
		t.Errorf("without a header: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = c.stream(ctx, c.nodes("", metav1.ListOptions{}), time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("when the caller ends: %v", err)
	}
	c = silent(t, "a part", time.Minute)
	body, err := c.stream(t.Context(), c.nodes("", metav1.ListOptions{}), 60*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	_, err = io.ReadAll(body)
	if e, ok := errors.AsType[*silentError](err); !ok || e.after != 60*time.Millisecond {
		t.Errorf("in the middle: %v", err)
	}
}
