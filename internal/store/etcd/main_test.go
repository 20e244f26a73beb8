package etcd_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/store/etcdtest"
	"github.com/weft-net/weft/internal/store/storetest"
)

// shared is one etcd for all tests that do not break it; each has a prefix of
// its own.
var shared *etcdtest.Process

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weft-etcd-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if shared, err = etcdtest.Start(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	etcd.SetRightsPause(100 * time.Millisecond)
	code := m.Run()
	if err := errors.Join(shared.Stop(), goleak.Find()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

var prefixes atomic.Int64

func newPrefix() string { return fmt.Sprintf("/test/%d/network", prefixes.Add(1)) }

// open opens a store and closes it when the test is over.
func open(t *testing.T, o etcd.Options) store.Store {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := etcd.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// raw is etcd's own client, to look at keys and to be other programs.
func raw(t *testing.T, url string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{url}, Logger: zap.NewNop(), DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// put stores a key as flanneld would: with an etcd lease of its own, or none.
func put(t *testing.T, c *clientv3.Client, key, value string, ttl time.Duration) clientv3.LeaseID {
	t.Helper()
	var id clientv3.LeaseID
	if ttl > 0 {
		g, err := c.Grant(t.Context(), int64(ttl/time.Second))
		if err != nil {
			t.Fatal(err)
		}
		id = g.ID
	}
	if _, err := c.Put(t.Context(), key, value, clientv3.WithLease(id)); err != nil {
		t.Fatal(err)
	}
	return id
}

func fixture(url string) func(*testing.T) storetest.Fixture {
	return func(t *testing.T) storetest.Fixture {
		prefix, client := newPrefix(), raw(t, url)
		return storetest.Fixture{
			Open: func(t *testing.T) store.Store {
				return open(t, etcd.Options{Endpoints: []string{url}, Prefix: prefix})
			},
			Put: func(t *testing.T, key, value string, ttl time.Duration) {
				put(t, client, prefix+"/"+key, value, ttl)
			},
			Remove: func(t *testing.T, key string) {
				if _, err := client.Delete(t.Context(), prefix+"/"+key); err != nil {
					t.Fatal(err)
				}
			},
		}
	}
}

func TestConformance(t *testing.T) { storetest.Run(t, fixture(shared.URL())) }
