package kube_test

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/kube"
	"github.com/weft-net/weft/internal/store/kubetest"
	"github.com/weft-net/weft/internal/store/storetest"
)

// between is a proxy in front of the API server, which records the requests.
type between struct {
	url    string
	mu     sync.Mutex
	seen   []string
	answer func(http.ResponseWriter, *http.Request) bool // true: it has answered instead of the server
}

func newBetween(t *testing.T, c *kubetest.Cluster) *between {
	t.Helper()
	transport, err := rest.TransportFor(c.Config)
	must(t, err)
	target, err := url.Parse(c.Config.Host)
	must(t, err)
	b := &between{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Accept-Encoding") // answers pass in clear
		},
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.seen = append(b.seen, r.Method+" "+r.URL.RequestURI())
		answer := b.answer
		b.mu.Unlock()
		out := &passing{ResponseWriter: w}
		if answer == nil || !answer(out, r) {
			proxy.ServeHTTP(out, r)
		}
	}))
	b.url = server.URL
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return b
}

// requests returns the requests since the last call.
func (b *between) requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := b.seen
	b.seen = nil
	return seen
}

// intercept lets answer see every request first; nil ends that.
func (b *between) intercept(answer func(http.ResponseWriter, *http.Request) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

// through opens a store that connects to b.
func (w *world) through(t *testing.T, b *between, name string) *kube.Store {
	return w.openWith(t, kube.Options{APIURL: b.url, Self: kube.Self{Node: w.node(name)}, SetNetworkUnavailable: true})
}

// An agent at rest has two watches and sends no other requests, whatever the
// heartbeats are.
func TestAtRestNothingIsRequested(t *testing.T) {
	w := newWorld(t)
	for i, name := range []string{"a", "b", "c"} {
		w.add(t, name, fmt.Sprintf("10.5.%d.0/24", i+1))
	}
	b := newBetween(t, w.Cluster)
	s := w.through(t, b, "a")
	w.write(t, wide)
	follower := storetest.Follow(t, s)
	follower.Next(t)
	storetest.Hold(t, s, acquire(t, s, claim("192.0.2.1")), lease.Owner{})
	follower.Until(t, func(s store.Snapshot) bool { return s.Leases.Len() == 1 })
	s.Serving(nil)
	w.awaitCondition(t, "a")
	start := b.requests()
	if len(start) != 5 { // two watches, a get of the node, a patch of its annotations and one of the condition
		t.Errorf("a start takes %d requests:\n%s", len(start), strings.Join(start, "\n"))
	}
	if want := map[string]int{"get": 1, "list": 0, "watch": 2, "patch": 2}; !maps.Equal(s.Requests(), want) {
		t.Errorf("counted %v, want %v", s.Requests(), want)
	}
	for i := range 60 { // five hours of heartbeats
		for _, name := range []string{"a", "b", "c"} {
			w.patch(t, name, fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":"True","reason":"%d"}]}}`, i), "status")
		}
	}
	w.annotate(t, "b", map[string]string{"kube-subnet-manager": "true", "backend-type": "vxlan", "public-ip": "192.0.2.2"})
	if next := follower.Next(t); next.Snapshot == nil || next.Snapshot.Leases.Len() != 2 {
		t.Errorf("the next update is %+v, want the one with the new lease", next)
	}
	if seen := b.requests(); len(seen) != 0 {
		t.Errorf("at rest:\n%s", strings.Join(seen, "\n"))
	}
}

// noStream is the error of an API server that cannot begin a watch with a list.
const noStream = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,
	"message":"ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"}`

func TestAnOlderServerIsListed(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "10.5.1.0/24")
	b := newBetween(t, w.Cluster)
	b.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if !r.URL.Query().Has("sendInitialEvents") {
			return false
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = rw.Write([]byte(noStream))
		return true
	})
	s := w.through(t, b, "a")
	w.write(t, wide)
	follower := storetest.Follow(t, s)
	if first := follower.Next(t); first.Snapshot == nil {
		t.Fatalf("first %v", first.Err)
	}
	acquire(t, s, claim("192.0.2.1"))
	follower.Until(t, func(s store.Snapshot) bool { return s.Leases.Len() == 1 })
	lists := slices.DeleteFunc(b.requests(), func(r string) bool { return !strings.Contains(r, "limit=") })
	if len(lists) != 1 {
		t.Errorf("lists: %v", lists)
	}
}

// A watch that breaks off is resumed where it ended; if that is too long ago,
// the nodes are listed again.
func TestABrokenWatchIsResumed(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "10.5.1.0/24")
	b := newBetween(t, w.Cluster)
	s := w.through(t, b, "a")
	w.write(t, wide)
	follower := storetest.Follow(t, s)
	follower.Next(t)
	b.requests()
	s.Redial()
	acquire(t, s, claim("192.0.2.1"))
	follower.Until(t, func(s store.Snapshot) bool { return s.Leases.Len() == 1 })
	if seen := strings.Join(b.requests(), "\n"); strings.Contains(seen, "sendInitialEvents") || !strings.Contains(seen, "resourceVersion=") {
		t.Errorf("after a broken connection:\n%s", seen)
	}
	first := true
	b.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if !first || !r.URL.Query().Has("resourceVersion") {
			return false
		}
		first = false
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusGone)
		_, _ = rw.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old resource version"}`))
		return true
	})
	s.Redial()
	w.remove(t, "a")
	follower.Until(t, func(s store.Snapshot) bool { return s.Leases.Len() == 0 })
	if seen := strings.Join(b.requests(), "\n"); !strings.Contains(seen, "sendInitialEvents") {
		t.Errorf("after its version had expired:\n%s", seen)
	}
}

// The rights of flannel's ClusterRole.
var flannels = []rbacv1.PolicyRule{
	{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}},
	{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{""}, Resources: []string{"nodes/status"}, Verbs: []string{"patch"}},
}

func TestFlannelsRightsAreEnough(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "10.5.1.0/24")
	user, err := w.AddUser(t.Context(), w.node("flannel"), flannels...)
	must(t, err)
	pod := strings.ReplaceAll(w.node("weft-a"), ".", "-")
	_, err = w.AddPod(t.Context(), "default", pod, w.node("flannel"), w.node("a"))
	must(t, err)
	s := w.openWith(t, kube.Options{Kubeconfig: user, Self: kube.Self{Pod: pod, Namespace: "default"}, SetNetworkUnavailable: true})
	w.write(t, wide)
	follower := storetest.Follow(t, s)
	follower.Next(t)
	storetest.Hold(t, s, acquire(t, s, claim("192.0.2.1")), lease.Owner{})
	s.Serving(nil)
	w.awaitCondition(t, "a")
	follower.Until(t, func(s store.Snapshot) bool { return s.Leases.Len() == 1 && len(s.Assigned.Subnets) == 1 })
	if err := s.CreateEvent(within(t), "lease", "none"); err == nil || !strings.Contains(err.Error(), "events") {
		t.Errorf("an Event without the right to make one: %v", err)
	}
	stranger, err := w.AddUser(t.Context(), w.node("stranger"))
	must(t, err)
	_, err = w.openWith(t, kube.Options{Kubeconfig: stranger}).Snapshot(within(t))
	if err == nil || !strings.Contains(err.Error(), "ClusterRole needs get on pods") {
		t.Errorf("without rights: %v", err)
	}
}

func TestFaultsBecomeEvents(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "10.5.1.0/24")
	user, err := w.AddUser(t.Context(), w.node("teller"), rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create"}})
	must(t, err)
	s := w.openWith(t, kube.Options{Kubeconfig: user, Self: kube.Self{Node: w.node("a")}})
	must(t, s.CreateEvent(within(t), "lease", strings.Repeat("ä", 2000)))
	events, err := w.Client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.kind=Node,involvedObject.name=" + w.node("a")})
	must(t, err)
	if len(events.Items) != 1 || events.Items[0].Reason != "WeftLease" || events.Items[0].Type != "Warning" || len(events.Items[0].Message) > 1024 {
		t.Errorf("events %+v", events.Items)
	}
}

func TestOutage(t *testing.T) {
	dir, err := os.MkdirTemp("", "weft-kube-") // short, for a socket
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	c, err := kubetest.Start(t.Context(), kubetest.Options{Dir: dir, APIServer: apiServer})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	w := newWorld(t)
	w.Cluster = c
	w.write(t, wide)
	w.add(t, "a", "10.5.1.0/24")
	s := w.openWith(t, kube.Options{Self: kube.Self{Node: w.node("a")}, RequestTimeout: 2 * time.Second})
	follower := storetest.Follow(t, s)
	follower.Next(t)
	h := storetest.Hold(t, s, acquire(t, s, claim("192.0.2.1")), lease.Owner{})
	follower.Until(t, func(s store.Snapshot) bool { return s.Leases.Len() == 1 })
	must(t, c.StopAPI())
	if err := follower.Outage(t); !strings.Contains(err.Error(), c.Addr.String()) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("the outage: %v", err)
	}
	_, err = s.Acquire(within(t), network(t, wide), claim("192.0.2.1"))
	if err == nil {
		t.Error("Acquire succeeded without a server")
	}
	w.write(t, `{"Network":"10.5.0.0/17"}`) // in the outage; it comes with the snapshot that ends it
	must(t, c.StartAPI(t.Context()))
	back := follower.Until(t, func(store.Snapshot) bool { return true })
	if string(back.Config) != `{"Network":"10.5.0.0/17"}` || back.Leases.Len() != 1 {
		t.Errorf("after the outage: %+v", back)
	}
	must(t, c.FreezeAPI())
	if _, err := s.Snapshot(within(t)); err == nil || !strings.Contains(err.Error(), "no answer within 2s") {
		t.Errorf("of a server that hangs: %v", err)
	}
	must(t, c.ThawAPI())
	w.annotate(t, "a", map[string]string{"public-ip": "192.0.2.9"})
	lost(t, h, "192.0.2.9") // Hold outlived both
}
