package embedded_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/embedded"
	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/store/etcdtest"
	"github.com/weft-net/weft/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func logTo(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func serve(t *testing.T, o embedded.ServerOptions) *embedded.Server {
	t.Helper()
	o.Log = logTo(t)
	s, err := embedded.Serve(t.Context(), o)
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

func TestConformance(t *testing.T) {
	server := serve(t, embedded.ServerOptions{Dir: t.TempDir()})
	client, err := clientv3.New(clientv3.Config{Endpoints: server.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	var prefixes atomic.Int64
	storetest.Run(t, func(t *testing.T) storetest.Fixture {
		prefix := fmt.Sprintf("/test/%d", prefixes.Add(1))
		return storetest.Fixture{
			Open: func(t *testing.T) store.Store {
				s, err := etcd.Open(t.Context(), etcd.Options{Endpoints: server.Endpoints(), Prefix: prefix})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				return s
			},
			Put: func(t *testing.T, key, value string, ttl time.Duration) {
				g := &clientv3.LeaseGrantResponse{}
				if ttl > 0 {
					if g, err = client.Grant(t.Context(), int64(ttl/time.Second)); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := client.Put(t.Context(), prefix+"/"+key, value, clientv3.WithLease(g.ID)); err != nil {
					t.Fatal(err)
				}
			},
			Remove: func(t *testing.T, key string) {
				if _, err := client.Delete(t.Context(), prefix+"/"+key); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

func TestKeepsItsContent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "etcd")
	const doc = `{"Network":"10.5.0.0/16"}`
	for range 2 {
		s, err := embedded.Open(t.Context(), embedded.Options{Dir: dir, Log: logTo(t)})
		if err != nil {
			t.Fatal(err)
		}
		snap, err := s.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if snap.Config == nil {
			err = s.SetConfig(t.Context(), []byte(doc), 0)
		} else if string(snap.Config) != doc {
			t.Errorf("config %q", snap.Config)
		}
		if err = joinClose(err, s); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v; want mode 0700", info.Mode(), err)
	}
}

// After a reboot there is nobody to ask: the store is this host's own.
func TestARebootedHostDoesNotAsk(t *testing.T) {
	s, err := embedded.Open(t.Context(), embedded.Options{Dir: t.TempDir(), Log: logTo(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	net, err := netconf.Parse([]byte(`{"Network":"10.5.0.0/16"}`))
	if err != nil {
		t.Fatal(err)
	}
	claim := lease.Claim{
		Owner: lease.Owner{ID: "id-1", Hostname: "host-1", Boot: "b-1", Session: "s-1"},
		Attrs: lease.Attrs{Public: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Backend: "vxlan"},
	}
	l, err := s.Acquire(t.Context(), net, claim)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Hold(t, s, l, claim.Owner) // would answer
	claim.Boot, claim.Session = "b-2", "s-2"
	again, err := s.Acquire(t.Context(), net, claim)
	if err != nil || again.Subnets[0] != l.Subnets[0] {
		t.Errorf("had %v, got %v, %v", l.Subnets, again.Subnets, err)
	}
}

func joinClose(err error, s store.Store) error {
	if cerr := s.Close(); err == nil {
		return cerr
	}
	return err
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	server := serve(t, embedded.ServerOptions{Dir: dir})
	_, err := embedded.Open(t.Context(), embedded.Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("error %v; want it to name the directory and the process", err)
	}
	s, err := etcd.Open(t.Context(), etcd.Options{Endpoints: server.Endpoints()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Snapshot(t.Context()); err != nil {
		t.Errorf("the first was disturbed: %v", err)
	}
}

func TestNothingListensOffTheHost(t *testing.T) {
	serve(t, embedded.ServerOptions{Dir: t.TempDir()})
	for _, file := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		for _, inode := range listening(t, file) {
			if owns(t, inode) {
				t.Errorf("this process listens on TCP: inode %s in %s", inode, file)
			}
		}
	}
}

// listening returns the inodes of the listening sockets in a table of the
// kernel's.
func listening(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" {
			out = append(out, f[9])
		}
	}
	return out
}

func owns(t *testing.T, inode string) bool {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && to == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}

func TestListensWhereTold(t *testing.T) {
	server := serve(t, embedded.ServerOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if ep := server.Endpoints(); len(ep) != 1 || !strings.HasPrefix(ep[0], "http://127.0.0.1:") || strings.HasSuffix(ep[0], ":0") {
		t.Fatalf("endpoints %v", ep)
	}
	s, err := etcd.Open(t.Context(), etcd.Options{Endpoints: server.Endpoints()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Snapshot(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	ca, err := etcdtest.NewCA(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue("server")
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, embedded.ServerOptions{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", CertFile: cert, KeyFile: key, ClientCAFile: ca.File,
	})
	if ep := server.Endpoints(); !strings.HasPrefix(ep[0], "https://127.0.0.1:") {
		t.Fatalf("endpoints %v", ep)
	}
	for name, c := range map[string]struct {
		o  etcd.Options
		ok bool
	}{
		"with a certificate":    {etcd.Options{CAFile: ca.File, CertFile: cert, KeyFile: key}, true},
		"without a certificate": {etcd.Options{CAFile: ca.File}, false},
	} {
		c.o.Endpoints, c.o.RequestTimeout = server.Endpoints(), 2*time.Second
		s, err := etcd.Open(t.Context(), c.o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Snapshot(t.Context()); (err == nil) != c.ok {
			t.Errorf("%s: error %v", name, err)
		}
		s.Close()
	}
}

func TestRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	busy := serve(t, embedded.ServerOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	for name, c := range map[string]struct {
		o    embedded.ServerOptions
		want string
	}{
		"a file as directory": {embedded.ServerOptions{Dir: filepath.Join(file, "etcd")}, file},
		"half of TLS":         {embedded.ServerOptions{Dir: t.TempDir(), CertFile: file}, "a certificate and its key"},
		"a busy port":         {embedded.ServerOptions{Dir: t.TempDir(), Listen: strings.TrimPrefix(busy.Endpoints()[0], "http://")}, "address already in use"},
		"no certificate":      {embedded.ServerOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0", CertFile: file, KeyFile: file}, "PEM"},
	} {
		s, err := embedded.Serve(t.Context(), c.o)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want it to say %q", name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := embedded.Serve(ctx, embedded.ServerOptions{Dir: t.TempDir()}); err == nil {
		s.Close()
		t.Error("a start that was cancelled succeeded")
	}
}
