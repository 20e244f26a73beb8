package kube

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
)

const (
	// pageSize is how many nodes are asked for at once where a list comes in
	// pages: some 6 MB.
	pageSize = 500
	// watchTime is the least that a watch is asked to last; the most is twice
	// as long, at random, so that a cluster's agents do not come at once.
	watchTime = 30 * time.Minute
	// silence is after what time without an event a watch is taken for dead.
	// The server sends a bookmark every minute.
	silence = 3 * time.Minute
)

// sink takes in nodes. All calls come from one goroutine.
type sink interface {
	begin()             // a whole list begins
	put(node)           // the node is like this
	gone(name string)   // it was deleted
	end(version string) // the list is complete
	live()              // the server answers, and tells of changes from now on
}

// watcher keeps a sink up to date with all nodes, or with one. What it knows
// lets it go on after a lost connection without reading everything again.
type watcher struct {
	*client
	decode decoder
	only   string // the name of the one node; "" for all
	sink   sink
	from   string // the version after which to go on; "" list first
	paged  bool   // the server has no lists that come as a stream
}

// session lists if need be and watches until something breaks. errEnded is the
// regular end.
func (w *watcher) session(ctx context.Context) error {
	if w.from == "" && w.paged {
		if err := w.list(ctx); err != nil {
			return err
		}
	}
	err := w.watch(ctx)
	switch {
	case apierrors.IsResourceExpired(err), apierrors.IsGone(err):
		w.from = ""
	case w.from == "" && (apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)):
		w.paged = true
		return errEnded
	}
	return err
}

// errEnded is how a watch ends that was not meant to last longer.
var errEnded = errors.New("the watch has ended")

func (w *watcher) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	patience := time.AfterFunc(w.timeout, cancel)
	defer patience.Stop()
	body, err := w.request().MaxRetries(retries).Stream(ctx)
	if err != nil {
		return w.late(patience, err)
	}
	defer body.Close()
	if w.from == "" {
		w.sink.begin()
	} else {
		w.sink.live()
	}
	events := frames{from: bufio.NewReaderSize(body, spareFrame)}
	for {
		patience.Reset(silence)
		e, err := events.next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errEnded
		}
		if err != nil {
			return w.late(patience, err)
		}
		if err := w.take(e); err != nil {
			return err
		}
	}
}

// late names the reason if it was patience that ended a request.
func (w *watcher) late(patience *time.Timer, err error) error {
	if errors.Is(err, context.Canceled) && !patience.Stop() {
		return context.DeadlineExceeded
	}
	return err
}

// request asks for changes after what is known; if nothing is, for all there
// is and what changes then.
func (w *watcher) request() *rest.Request {
	r := w.nodes("GET").Param("watch", "true").Param("allowWatchBookmarks", "true").
		Param("timeoutSeconds", strconv.Itoa(int((watchTime+rand.N(watchTime))/time.Second)))
	r.SetHeader("Accept", "application/vnd.kubernetes.protobuf;stream=watch, application/vnd.kubernetes.protobuf")
	if w.only != "" {
		r.Param("fieldSelector", "metadata.name="+w.only)
	}
	if w.from == "" {
		return r.Param("sendInitialEvents", "true").Param("resourceVersionMatch", "NotOlderThan")
	}
	return r.Param("resourceVersion", w.from)
}

func (w *watcher) take(e event) error {
	switch e.kind {
	case bookmark:
		m, err := bookmarkIn(e.object)
		if err != nil {
			return err
		}
		if m.listed && w.from == "" {
			w.sink.end(m.version)
			w.sink.live()
		}
		if m.listed || w.from != "" {
			w.from = m.version
		}
		return nil
	case failed:
		return failureIn(e.object)
	case added, modified, deleted:
		n, err := w.decode.nodeIn(e.object)
		if err != nil {
			return err
		}
		if e.kind == deleted {
			w.sink.gone(n.name)
		} else {
			w.sink.put(n)
		}
		if w.from != "" {
			w.from = n.version
		}
		return nil
	}
	return fmt.Errorf("%w: an event of kind %.20q", errNotProto, e.kind)
}

// list reads all nodes page by page.
func (w *watcher) list(ctx context.Context) error {
	w.sink.begin()
	for next := ""; ; {
		p, err := w.page(ctx, w.decode, w.only, next)
		if err != nil {
			return err
		}
		for _, n := range p.nodes {
			w.sink.put(n)
		}
		if next = p.next; next == "" {
			w.sink.end(p.version)
			w.from = p.version
			return nil
		}
	}
}

// page reads a part of the list of nodes, from the token of the part before.
func (c *client) page(ctx context.Context, d decoder, only, token string) (page, error) {
	r := c.nodes("GET").Param("limit", strconv.Itoa(pageSize))
	if only != "" {
		r.Param("fieldSelector", "metadata.name="+only)
	}
	if token != "" {
		r.Param("continue", token)
	}
	doc, err := c.raw(ctx, "listing nodes", r)
	if err != nil {
		return page{}, err
	}
	p, err := d.pageIn(doc)
	return p, c.explain(ctx, "listing nodes", err)
}
