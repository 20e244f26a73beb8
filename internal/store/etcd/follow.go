package etcd

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/feed"
	"github.com/weft-net/weft/internal/store/session"
	"github.com/weft-net/weft/internal/store/view"
)

// errRewound means that etcd is not the one, or not as far, as it was.
var errRewound = errors.New("etcd is at an older revision than before, or is another cluster")

// Follow calls fn with the present snapshot and after every change. One
// goroutine takes in events while fn runs in the caller's.
func (s *Store) Follow(ctx context.Context, fn func(store.Update)) error {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{Store: s, feed: feed.New()}
	var running sync.WaitGroup
	running.Go(func() { f.run(ctx) })
	running.Go(func() { f.tellEarly(ctx) })
	defer func() { cancel(); running.Wait() }()
	for {
		u, err := f.feed.Next(ctx)
		if err != nil {
			return err
		}
		fn(u)
	}
}

// follower keeps a feed equal to etcd, through outages.
type follower struct {
	*Store
	feed    *feed.Feed
	view    *view.View // the feed's content
	from    int64      // the next revision to hear of; 0: list first
	heard   []int64    // the same by watch: they come apart
	newest  int64      // the newest revision heard of
	cluster uint64     // that the listing came from
	listed  allowed    // which keys the listing has
	fresh   bool       // listed just now, so etcd's revision may be any
	present *session.Session
}

func (f *follower) run(ctx context.Context) {
	loop := session.Loop{
		Run:   f.session,
		Final: func(error) bool { return f.life.Err() != nil },
		Down:  f.feed.Down,
		Up:    f.feed.Up,
	}
	_ = loop.Keep(ctx)
	if ctx.Err() == nil {
		f.feed.Down(f.explain(ctx, "following", errClosed))
	}
}

// early is how long the first session may take before it is told what it waits
// for. Its calls go on trying for longer.
const early = 700 * time.Millisecond

// tellEarly reports an etcd that is not there when the follower starts.
func (f *follower) tellEarly(ctx context.Context) {
	timer := time.NewTimer(early)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
		if why, failed := f.trail.cause(); failed >= len(f.urls) {
			f.feed.Missing(&outageError{urls: f.urls, where: why})
		}
	}
}

// session lists if need be and watches until something breaks.
func (f *follower) session(ctx context.Context, s *session.Session) error {
	f.present = s
	err := f.listAndWatch(ctx)
	if errors.Is(err, errCompacted) || errors.Is(err, errRewound) || errors.Is(err, errRights) {
		f.log.Info("reading all leases again", "reason", err)
		f.from = 0
	}
	return f.explain(ctx, "following config and leases", err)
}

func (f *follower) listAndWatch(ctx context.Context) error {
	allowed, changed := f.rights.get()
	for f.from == 0 || allowed != f.listed {
		l, err := f.list(ctx)
		if err != nil {
			return err
		}
		f.from, f.newest, f.cluster, f.fresh = l.revision+1, l.revision, l.cluster, true
		f.view, f.listed = l.view, l.allowed
		f.present.Delivered()
		f.feed.Replace(l.view)
		allowed, changed = f.rights.get()
	}
	spans := f.spans(allowed, f.keys.flannels(), f.keys.notes())
	f.heard = slices.Repeat([]int64{f.from}, len(spans))
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	asked := f.awaitRights(watching, allowed, changed, cancel)
	err := f.watch(watching, f.from, f, spans...)
	cancel()
	if <-asked && ctx.Err() == nil {
		return errRights
	}
	return err
}

// errRights means that other keys may be read than before.
var errRights = errors.New("etcd permits other keys than before")

// awaitRights calls stop when other keys are allowed, for which it asks from
// time to time if some are not. The channel then gets true, and false when ctx
// has ended.
func (f *follower) awaitRights(ctx context.Context, now allowed, changed <-chan struct{}, stop func()) <-chan bool {
	out := make(chan bool, 1)
	go func() {
		var ask <-chan time.Time
		if now != (allowed{records: true, whole: true}) {
			ticker := time.NewTicker(rightsPause)
			defer ticker.Stop()
			ask = ticker.C
		}
		for {
			select {
			case <-ctx.Done():
				out <- false
				return
			case <-changed:
				stop()
				out <- true
				return
			case <-ask:
				_ = f.askRights(ctx) // an outage is the watch's to report
			}
		}
	}()
	return out
}

func (f *follower) ready(h *pb.ResponseHeader) error {
	if h.ClusterId != f.cluster || !f.fresh && h.Revision < f.newest {
		return errRewound
	}
	f.fresh = false
	f.present.Ready()
	return nil
}

func (f *follower) batch(resp *pb.WatchResponse) error {
	changed := false
	f.feed.Change(func() bool { changed = f.apply(f.view, resp.Events); return changed })
	if changed {
		f.present.Delivered()
	}
	heard := &f.heard[resp.WatchId-1] // as watch numbers them
	if n := len(resp.Events); n > 0 {
		*heard = resp.Events[n-1].Kv.ModRevision + 1
	} else {
		*heard = max(*heard, resp.Header.Revision+1)
	}
	f.from = slices.Min(f.heard)
	f.newest = max(f.newest, *heard-1)
	return nil
}

// apply takes events into v and tells whether a snapshot shows them.
func (s *Store) apply(v *view.View, events []*mvccpb.Event) bool {
	changed := false
	for _, e := range events {
		if e.Type == clientv3.EventTypeDelete {
			changed = v.Delete(s.keys.below(e.Kv.Key), e.Kv.ModRevision) || changed
		} else {
			changed = v.Put(s.item(e.Kv)) || changed
		}
	}
	return changed
}
