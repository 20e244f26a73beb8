package kube

import (
	"context"
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/weft-net/weft/internal/store/session"
)

const (
	// watchTime is the least time that a watch is asked to last; the most is
	// twice as long, at random, so that a cluster's agents do not come at once.
	watchTime = 30 * time.Minute
	// silence is the time without an event after which a watch is considered
	// dead. The server sends a bookmark every minute.
	silence = 3 * time.Minute
)

// sink receives nodes. All calls come from one goroutine, or one at a time.
type sink interface {
	begin()             // a list of all nodes begins
	put(*node)          // the node is like this
	gone(name string)   // it was deleted
	end(version string) // the list is complete
	live()              // the server answers, and reports changes from now on
}

// watcher keeps a sink up to date with all nodes, or with one. client-go's
// reflector decides whether to list or to watch; the watcher sends the requests.
// It ends the session where the reflector would repeat a request without a pause,
// and resumes the watch in the next session where the reflector would list again.
type watcher struct {
	*client
	decode    decoder
	only      string // the name of the one node; "" for all
	sink      sink
	reflector *cache.Reflector
	plain     bool // the server does not complete watches that begin with a list
	stale     bool // the server cannot resume the watch: list again

	// Of the present session:
	streamed bool       // a watch that begins with a list was requested
	resumed  bool       // the last watch that was requested resumes that of the last session
	current  *stream    // the last watch that the server accepted, if no list was requested since
	err      error      // of the last request, if it failed
	listing  sync.Mutex // held during a request for a list
}

// errEnded is why a session ends whose watch did not fail.
var errEnded = errors.New("the server ended the watch")

// session lists, if necessary, and watches until something fails, and returns
// why.
func (w *watcher) session(ctx context.Context) error {
	if w.reflector == nil {
		w.reflector = cache.NewReflectorWithOptions(
			&cache.ListWatch{ListWithContextFunc: w.list, WatchFuncWithContext: w.watch}, &node{}, w,
			cache.ReflectorOptions{Name: "nodes", MinWatchTimeout: watchTime, Backoff: &noBackoff})
	}
	w.streamed, w.resumed, w.current, w.err = false, false, nil, nil
	err := w.reflector.ListAndWatchWithContext(ctx)
	w.listing.Lock() // when ctx ends, the reflector does not wait for its request
	defer w.listing.Unlock()
	if s := w.current; s != nil {
		w.plain = w.plain && s.lasted < session.Proof // else it may be another server by now
		w.stale = w.stale || s.refused()
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case w.err != nil:
		return w.err // the reflector says less
	case err != nil:
		return err
	case w.current != nil && w.current.failed():
		return w.current.err
	}
	return errEnded
}

// noBackoff is the reflector's: session's caller pauses between sessions, and
// within one no request is repeated.
var noBackoff = wait.Backoff{Duration: time.Millisecond}

// errNotAgain ends what the reflector would repeat.
var errNotAgain = errors.New("the request was sent already")

// watch requests changes, and before them all nodes, if o says so and the sink
// does not have them.
func (w *watcher) watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if w.err != nil && !unknownVersion(w.err) {
		return nil, errNotAgain
	}
	all := o.SendInitialEvents != nil && *o.SendInitialEvents
	w.resumed = all && o.ResourceVersion != "" && !w.stale && !w.resumed
	switch {
	case w.resumed:
		o.SendInitialEvents, o.ResourceVersionMatch = nil, ""
	case all && (w.plain || w.streamed), !all && w.over():
		return nil, errNotAgain
	case all:
		w.streamed = true
	}
	o.Watch = true
	ctx, cancel := context.WithCancel(ctx)
	body, err := w.stream(ctx, w.nodes(w.only, o).SetHeader("Accept", watchTypes), silence)
	if err != nil {
		cancel()
		w.err = err
		w.stale = w.stale || w.resumed && unknownVersion(err)
		return nil, err
	}
	w.current, w.err = newStream(ctx, cancel, body, w.decode, w.resumed, o.ResourceVersion), nil
	if !all {
		w.sink.live()
	}
	return w.current, nil
}

// watchTypes are the media types for a watch.
const watchTypes = "application/vnd.kubernetes.protobuf;stream=watch, application/vnd.kubernetes.protobuf"

// over reports whether the session has to end instead of another watch: the last
// one failed or was too short.
func (w *watcher) over() bool {
	return w.err != nil || w.current != nil && w.current.lasted < session.Proof
}

// unknownVersion reports whether the server refuses to watch from a version.
func unknownVersion(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}

// list requests nodes, a page of them if o has a limit.
func (w *watcher) list(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	w.listing.Lock()
	defer w.listing.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if w.err != nil && (w.resumed || !answered(w.err) || apierrors.IsTooManyRequests(w.err)) {
		return nil, w.err // a list would fail alike, or is not needed
	}
	w.plain = w.plain || w.streamed // the list replaces that watch
	var l *nodeList
	w.current = nil
	l, w.err = w.page(ctx, w.decode, w.nodes(w.only, o))
	return l, w.err
}

// answered reports whether err is a response of a server.
func answered(err error) bool {
	_, ok := errors.AsType[*apierrors.StatusError](err)
	return ok
}
