package kube

import (
	"context"
	"errors"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"

	"github.com/weft-net/weft/internal/backoff"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/feed"
	"github.com/weft-net/weft/internal/store/session"
)

// Snapshot reads the config file, and the nodes page by page.
func (s *Store) Snapshot(ctx context.Context) (store.Snapshot, error) {
	if err := s.open(ctx); err != nil {
		return store.Snapshot{}, err
	}
	c := newContent()
	c.doc = c.doc.read(s.o.ConfigFile)
	if s.o.Self.Known() {
		if name, err := s.ownName(ctx); err != nil {
			return store.Snapshot{}, err
		} else {
			c.self = name
		}
	}
	nodes, _, err := pager.New(pager.SimplePageFunc(func(o metav1.ListOptions) (runtime.Object, error) {
		return s.page(ctx, s.decode, s.nodes("", o))
	})).List(ctx, metav1.ListOptions{})
	if err != nil {
		return store.Snapshot{}, err
	}
	list, err := meta.ListAccessor(nodes)
	if err != nil {
		return store.Snapshot{}, err
	}
	c.begin()
	err = meta.EachListItem(nodes, func(n runtime.Object) error { c.put(n.(*node)); return nil })
	c.end(list.GetResourceVersion())
	return c.Snapshot(), err
}

// Follow calls fn with the present snapshot and after every change. Goroutines
// of its own record changes of nodes and of the config file while fn runs in
// the caller's.
func (s *Store) Follow(ctx context.Context, fn func(store.Update)) error {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{Store: s, feed: feed.New(), content: newContent()}
	f.content.doc = f.content.doc.read(s.o.ConfigFile)
	var parts sync.WaitGroup
	defer func() { cancel(); parts.Wait() }()
	for _, part := range []func(context.Context){f.runNodes, f.runConfig, s.runEvents} {
		parts.Go(func() { part(ctx) })
	}
	for {
		u, err := f.feed.Next(ctx)
		if err != nil {
			return err
		}
		fn(u)
	}
}

// follower keeps a feed equal to the nodes and the config file. It is a sink.
type follower struct {
	*Store
	feed    *feed.Feed
	content *content // behind feed's lock
	known   bool     // the content has been complete
	running *session.Session
}

// runNodes follows the nodes until ctx ends.
func (f *follower) runNodes(ctx context.Context) {
	w := &watcher{client: f.client, decode: f.decode, sink: f}
	loop := session.Loop{
		Run: func(ctx context.Context, running *session.Session) error {
			f.running = running
			if err := f.open(ctx); err != nil {
				return err
			}
			if err := f.findSelf(ctx); err != nil {
				return err
			}
			return f.explain(ctx, "following nodes", w.session(ctx))
		},
		Down: f.feed.Down,
		Up:   f.feed.Up,
	}
	_ = loop.Keep(ctx) // it ends with ctx
}

// findSelf sets which node this host is, if that can be known.
func (f *follower) findSelf(ctx context.Context) error {
	if f.content.self != "" || !f.o.Self.Known() {
		return nil
	}
	name, err := f.ownName(ctx)
	if err == nil {
		f.feed.Change(func() bool { f.content.self = name; return false })
	}
	return err
}

func (f *follower) begin() { f.feed.Change(func() bool { f.content.begin(); return false }) }

func (f *follower) put(n *node) {
	f.change(func() bool { return f.content.put(n) })
	if n.name == f.content.self {
		f.Trouble("node", errors.Join(n.faults(), f.content.fault(n.name)))
	}
}

func (f *follower) gone(name string) { f.change(func() bool { return f.content.remove(name) }) }

func (f *follower) end(version string) {
	f.change(func() bool { return f.content.end(version) })
	if !f.known {
		f.known = true
		f.feed.Replace(f.content)
	}
}

func (f *follower) live() { f.running.Ready() }

// change alters the content. What is new is passed on even if the connection
// keeps breaking off.
func (f *follower) change(change func() bool) {
	news := false
	f.feed.Change(func() bool { news = change(); return news })
	if news && f.known {
		f.running.Delivered()
	}
}

// runConfig follows the config file.
func (f *follower) runConfig(ctx context.Context) {
	pause := backoff.UntilBack()
	for ctx.Err() == nil {
		err := watchFile(ctx, f.o.ConfigFile, f.readConfig)
		if ctx.Err() == nil {
			f.log.Warn("cannot watch the network config for changes; retrying", "error", err)
		}
		_ = pause.Wait(ctx)
	}
}

func (f *follower) readConfig() {
	f.feed.Change(func() bool {
		doc := f.content.doc.read(f.o.ConfigFile)
		if doc.same(f.content.doc) {
			return false
		}
		f.content.doc = doc
		f.Trouble("config file", doc.err)
		return true
	})
}
