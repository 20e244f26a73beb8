package kube

import (
	"net/http"
	"path"
	"sync"
)

// counts are the requests made so far, by Kubernetes' verb.
type counts struct {
	mu sync.Mutex
	by map[string]int
}

func (c *counts) add(verb string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]int{}
	}
	c.by[verb]++
}

// read returns a copy. It always has the verbs that an agent uses.
func (c *counts) read() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{"get": 0, "list": 0, "watch": 0, "patch": 0}
	for verb, n := range c.by {
		out[verb] = n
	}
	return out
}

// counter counts the requests that are sent, retries included.
type counter struct {
	next   http.RoundTripper
	counts *counts
}

// RoundTrip implements http.RoundTripper.
func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.counts.add(verbOf(r))
	return c.next.RoundTrip(r)
}

// verbOf is RBAC's verb for the request.
func verbOf(r *http.Request) string {
	switch {
	case r.Method == http.MethodPost:
		return "create"
	case r.Method == http.MethodPatch:
		return "patch"
	case r.URL.Query().Get("watch") != "":
		return "watch"
	case path.Base(r.URL.Path) == "nodes":
		return "list"
	}
	return "get"
}
