package kube_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/http"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/etcdtest"
	"github.com/weft-net/weft/internal/store/kube"
	"github.com/weft-net/weft/internal/store/kubetest"
	"github.com/weft-net/weft/internal/store/storetest"
)

// isWatch tells whether a request is for a watch, and how that begins.
func isWatch(r *http.Request) (watch, withList bool) {
	q := r.URL.Query()
	return q.Get("watch") == "true", q.Has("sendInitialEvents")
}

// kinds sorts the requests that were seen: lists, watches that begin with one,
// and other watches.
func kinds(seen []string) (lists, withList, plain int) {
	for _, r := range seen {
		switch {
		case strings.Contains(r, "sendInitialEvents"):
			withList++
		case strings.Contains(r, "watch=true"):
			plain++
		case strings.HasPrefix(r, "GET /api/v1/nodes?"):
			lists++
		}
	}
	return lists, withList, plain
}

// endAtOnce accepts a watch and ends it.
func endAtOnce(rw http.ResponseWriter, r *http.Request) bool {
	watch, _ := isWatch(r)
	if watch {
		rw.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf;stream=watch")
		rw.WriteHeader(http.StatusOK)
	}
	return watch
}

// endAfterList forwards the list that begins a watch, and then ends it as it
// does every other watch.
func endAfterList(rw http.ResponseWriter, r *http.Request) bool {
	if _, withList := isWatch(r); !withList {
		return endAtOnce(rw, r)
	}
	ctx, cancel := context.WithCancel(r.Context())
	*r = *r.WithContext(ctx)
	*rw.(*passing) = passing{rw.(*passing).ResponseWriter, cancel}
	return false
}

// passing ends a request after the end of a list has passed.
type passing struct {
	http.ResponseWriter
	end func()
}

func (p *passing) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *passing) Write(data []byte) (int, error) {
	n, err := p.ResponseWriter.Write(data)
	if p.end != nil && bytes.Contains(data, []byte("k8s.io/initial-events-end")) {
		err = http.NewResponseController(p.ResponseWriter).Flush()
		p.end()
	}
	return n, err
}

// A server that accepts watches and does not keep them is asked for less and
// less, and reported. It is never made to list again for that.
func TestAServerThatEndsWatchesIsAnOutage(t *testing.T) {
	for name, c := range map[string]struct {
		answer                 func(http.ResponseWriter, *http.Request) bool
		lists, withList, plain int // until it is an outage: three times
	}{
		"at once":      {endAtOnce, 1, 1, 3},
		"after a list": {endAfterList, 0, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.add(t, "a", "10.5.1.0/24")
			w.write(t, wide)
			b := newBetween(t, w.Cluster)
			b.intercept(c.answer)
			follower := storetest.Follow(t, w.through(t, b, "a"))
			if first := follower.Next(t).Snapshot; first == nil || len(first.Assigned.Subnets) != 1 {
				t.Fatalf("the first update is %+v", first)
			}
			if err := follower.Outage(t); !strings.Contains(err.Error(), "the server ended the watch") {
				t.Errorf("reported: %v", err)
			}
			if lists, withList, plain := kinds(b.requests()); lists != c.lists || withList != c.withList || plain != c.plain {
				t.Errorf("%d lists, %d watches that begin with one and %d others until that was an outage", lists, withList, plain)
			}
			// What changes is passed on all the same, as soon as it is known.
			w.annotate(t, "a", map[string]string{"node-public-ip": "192.0.2.9"})
			b.intercept(nil)
			follower.Until(t, func(s store.Snapshot) bool { return len(s.Assigned.Uplink) == 1 })
			if lists, withList, _ := kinds(b.requests()); lists+withList != 0 {
				t.Errorf("%d lists after it", lists+withList)
			}
		})
	}
}

// expired accepts a watch and sends the error of a version that is too old.
func expired(t *testing.T, rw http.ResponseWriter) {
	scheme := runtime.NewScheme()
	status := &metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Code: http.StatusGone, Message: "too old resource version",
	}
	raw, err := runtime.Encode(protobuf.NewSerializer(scheme, scheme), status)
	if err != nil {
		t.Error(err)
	}
	event, err := (&metav1.WatchEvent{Type: "ERROR", Object: runtime.RawExtension{Raw: raw}}).Marshal()
	if err != nil {
		t.Error(err)
	}
	rw.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf;stream=watch")
	_, _ = rw.Write(binary.BigEndian.AppendUint32(nil, uint32(len(event))))
	_, _ = rw.Write(event)
}

// A version that has expired is only found out in the watch: the nodes are
// listed again, once, and that is no outage.
func TestAnExpiredWatchListsAgain(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "10.5.1.0/24")
	w.write(t, wide)
	b := newBetween(t, w.Cluster)
	s := w.through(t, b, "a")
	follower := storetest.Follow(t, s)
	follower.Next(t)
	b.requests()
	b.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		watch, withList := isWatch(r)
		if watch && !withList {
			expired(t, rw)
		}
		return watch && !withList
	})
	s.Redial()
	w.annotate(t, "a", map[string]string{"node-public-ip": "192.0.2.9"})
	if u := follower.Next(t); u.Snapshot == nil || len(u.Snapshot.Assigned.Uplink) != 1 {
		t.Errorf("the next update is %+v", u)
	}
	if lists, withList, plain := kinds(b.requests()); lists != 0 || withList != 1 || plain != 1 {
		t.Errorf("%d lists, %d watches that begin with one, %d others", lists, withList, plain)
	}
}

// Hold's watch is paced alike.
func TestAServerThatEndsWatchesDoesNotEndTheLease(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "10.5.1.0/24")
	w.write(t, wide)
	b := newBetween(t, w.Cluster)
	s := w.through(t, b, "a")
	l := acquire(t, s, claim("192.0.2.1"))
	ended := make(chan struct{}, 100)
	b.requests()
	b.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		ended <- struct{}{}
		return endAtOnce(rw, r)
	})
	h := storetest.Hold(t, s, l, lease.Owner{})
	for range 6 { // two lists and four watches
		<-ended
	}
	if lists, withList, plain := kinds(b.requests()); lists != 1 || withList != 1 || plain != 4 {
		t.Errorf("%d lists, %d watches that begin with one, %d others", lists, withList, plain)
	}
	b.intercept(nil)
	w.annotate(t, "a", map[string]string{"public-ip": "192.0.2.2"})
	lost(t, h, "192.0.2.2")
}

// An API server before an etcd of Debian's version, 3.4.23, begins a watch that
// is to list, and then breaks it off with an error of code 500.
func TestAnAPIServerBeforeAnOlderEtcd(t *testing.T) {
	dir, err := os.MkdirTemp("", "weft-kube-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	etcd, err := etcdtest.Start(t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, etcd.Stop()) })
	c, err := kubetest.Start(t.Context(), kubetest.Options{Dir: dir, Etcd: etcd.URL(), APIServer: apiServer})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	w := newWorld(t)
	w.Cluster = c
	w.write(t, wide)
	w.add(t, "a", "10.5.1.0/24")
	b := newBetween(t, c)
	s := w.openWith(t, kube.Options{APIURL: b.url, Self: kube.Self{Node: w.node("a")}})
	follower := storetest.Follow(t, s)
	if first := follower.Next(t); first.Snapshot == nil {
		t.Fatalf("the first update: %v", first.Err)
	}
	acquire(t, s, claim("192.0.2.1"))
	follower.Until(t, func(s store.Snapshot) bool { return s.Leases.Len() == 1 })
	if lists, withList, plain := kinds(b.requests()); lists != 1 || withList != 1 || plain != 1 {
		t.Errorf("%d lists, %d watches that begin with one, %d others", lists, withList, plain)
	}
}
