package etcd_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/store/etcdtest"
	"github.com/weft-net/weft/internal/store/storetest"
)

// subnets tells whether a snapshot holds exactly these, by their third byte.
func subnets(thirds ...int) func(store.Snapshot) bool {
	want := make([]string, 0, len(thirds))
	for _, n := range thirds {
		want = append(want, fmt.Sprintf("10.5.%d.0/24", n))
	}
	return func(s store.Snapshot) bool {
		have := make([]string, 0, s.Leases.Len())
		for l := range s.Leases.All() {
			have = append(have, l.Subnets[0].String())
		}
		return strings.Join(have, " ") == strings.Join(want, " ")
	}
}

func leaseKey(prefix string, third int) string {
	return fmt.Sprintf("%s/subnets/10.5.%d.0-24", prefix, third)
}

func TestFollowThroughACutLine(t *testing.T) {
	t.Parallel()
	proxy, prefix, other := newProxy(t, shared.Addr()), newPrefix(), raw(t, shared.URL())
	follower := storetest.Follow(t, open(t, etcd.Options{Endpoints: []string{proxy.Addr()}, Prefix: prefix}))
	follower.Until(t, subnets())
	put(t, other, leaseKey(prefix, 1), "{}", 0)
	follower.Until(t, subnets(1))

	proxy.Cut()
	says(t, follower.Outage(t), proxy.Addr())
	put(t, other, leaseKey(prefix, 2), "{}", 0)
	if _, err := other.Delete(t.Context(), leaseKey(prefix, 1)); err != nil {
		t.Fatal(err)
	}
	for range 4 { // attempts that fail for the same reason are no news
		<-proxy.Refused()
	}
	proxy.Mend()
	var news []error
	for done := false; !done; { // the end of the outage may come with the changes or before them
		u := follower.Next(t)
		if u.Err != nil {
			news = append(news, u.Err)
		}
		done = u.Err == nil && subnets(2)(*u.Snapshot)
	}
	if len(news) > 1 { // "lost" may become "cannot connect" once
		t.Errorf("more reports of one outage: %v", news)
	}
}

// While the line is cut the history that the watch would go on from is
// compacted away.
func TestFollowThroughCompaction(t *testing.T) {
	t.Parallel()
	p := start(t)
	proxy, prefix, other := newProxy(t, p.Addr()), newPrefix(), raw(t, p.URL())
	follower := storetest.Follow(t, open(t, etcd.Options{Endpoints: []string{proxy.Addr()}, Prefix: prefix}))
	follower.Until(t, subnets())
	put(t, other, leaseKey(prefix, 1), "{}", 0)
	follower.Until(t, subnets(1))

	proxy.Cut()
	for n := 2; n < 12; n++ {
		put(t, other, leaseKey(prefix, n), "{}", 0)
	}
	if _, err := other.Delete(t.Context(), leaseKey(prefix, 1)); err != nil {
		t.Fatal(err)
	}
	head, err := other.Get(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Compact(t.Context(), head.Header.Revision); err != nil {
		t.Fatal(err)
	}
	proxy.Mend()
	follower.Until(t, subnets(2, 3, 4, 5, 6, 7, 8, 9, 10, 11))
	put(t, other, leaseKey(prefix, 12), "{}", 0)
	follower.Until(t, subnets(2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12))
}

func TestFollowThroughARestart(t *testing.T) {
	t.Parallel()
	p := start(t)
	prefix := newPrefix()
	s := open(t, etcd.Options{Endpoints: []string{p.URL()}, Prefix: prefix})
	follower := storetest.Follow(t, s)
	l := acquireWide(t, s)
	hold := storetest.Hold(t, s, l, owner)
	follower.Until(t, subnets(34))
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	says(t, follower.Outage(t), p.Addr())
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	follower.Until(t, subnets(34)) // nothing changed, but the outage is over
	put(t, raw(t, p.URL()), leaseKey(prefix, 35), "{}", 0)
	follower.Until(t, subnets(34, 35))
	if err := s.Release(t.Context(), l.Subnets); err != nil {
		t.Fatal(err)
	}
	says(t, hold.Err(t), "deleted")
}

// etcd comes back empty, at a lower revision.
func TestFollowThroughALossOfData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := must[*etcdtest.Process](t)(etcdtest.Start(dir))
	t.Cleanup(func() { p.Stop() })
	prefix := newPrefix()
	s := open(t, etcd.Options{Endpoints: []string{p.URL()}, Prefix: prefix})
	follower := storetest.Follow(t, s)
	l := acquireWide(t, s)
	hold := storetest.Hold(t, s, l, owner)
	follower.Until(t, subnets(34))
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	follower.Until(t, subnets())
	says(t, hold.Err(t), "deleted")
	put(t, raw(t, p.URL()), leaseKey(prefix, 7), "{}", 0)
	follower.Until(t, subnets(7))
}

// A line that is up but carries nothing is noticed by the keep-alive of the
// connection, after 10 + 5 seconds.
func TestFollowThroughAFrozenLine(t *testing.T) {
	t.Parallel()
	proxy, prefix, other := newProxy(t, shared.Addr()), newPrefix(), raw(t, shared.URL())
	s := open(t, etcd.Options{Endpoints: []string{proxy.Addr()}, Prefix: prefix, RequestTimeout: brief})
	follower := storetest.Follow(t, s)
	follower.Until(t, subnets())
	put(t, other, leaseKey(prefix, 1), "{}", 0)
	follower.Until(t, subnets(1)) // by the watch, so that it stands
	proxy.Freeze()
	put(t, other, leaseKey(prefix, 2), "{}", 0)
	err := follower.Outage(t)
	proxy.Thaw()
	says(t, err, proxy.Addr())
	follower.Until(t, subnets(1, 2))
}
