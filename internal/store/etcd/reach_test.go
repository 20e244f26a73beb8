package etcd_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/store/etcdtest"
	"github.com/weft-net/weft/internal/store/storetest"
)

// brief is how long a call may take that is to fail.
const brief = 500 * time.Millisecond

// nobody returns an address of the loopback where nothing listens.
func nobody(t *testing.T) string {
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	return l.Addr().String()
}

func TestDeadEndpoint(t *testing.T) {
	t.Parallel()
	dead := nobody(t)
	fails(t, etcd.Options{Endpoints: []string{"http://" + dead}}, "etcd is unreachable at "+dead+" (connection refused)")
	fails(t, etcd.Options{Endpoints: []string{dead}, Username: "weft", Password: "geheim"}, dead, "connection refused")
	fails(t, etcd.Options{Endpoints: []string{"http://" + dead, "http://" + nobody(t)}}, "), ")
	fails(t, etcd.Options{Endpoints: []string{"http://no-such-host.invalid:2379"}}, "no-such-host.invalid")
	fails(t, etcd.Options{Endpoints: []string{"unix:///no/such/socket"}}, "no such file")
	works(t, etcd.Options{Endpoints: []string{"http://" + dead, shared.URL()}})
}

// A server that refuses connections is told of at once by those that follow, and
// ends calls that must fail fast, however long calls may take.
func TestARefusalIsToldAtOnce(t *testing.T) {
	t.Parallel()
	dead := nobody(t)
	want := "etcd is unreachable at " + dead + " (connection refused)"
	err := storetest.Follow(t, open(t, etcd.Options{Endpoints: []string{dead}, RequestTimeout: time.Hour})).Outage(t)
	says(t, err, want)
	if !errors.Is(err, store.ErrUnreachable) {
		t.Errorf("%v is not known as an outage", err)
	}
	fast := open(t, etcd.Options{Endpoints: []string{dead, nobody(t)}, RequestTimeout: time.Hour, FailFast: true})
	_, err = fast.Snapshot(t.Context())
	says(t, err, dead+" (connection refused)", "), ")
	if w := fast.(interface{ Waiting() string }).Waiting(); !strings.HasPrefix(w, "waiting for etcd at ") {
		t.Errorf("the store waits for %q", w)
	}
}

func TestSilentServer(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t, shared.Addr())
	s := open(t, etcd.Options{Endpoints: []string{proxy.Addr()}, RequestTimeout: brief})
	must[store.Snapshot](t)(s.Snapshot(t.Context()))
	proxy.Freeze()
	defer proxy.Thaw()
	_, err := s.Snapshot(t.Context())
	says(t, err, proxy.Addr(), "connected, but no answer within "+brief.String())
	fails(t, etcd.Options{Endpoints: []string{proxy.Addr()}}, proxy.Addr(), "connected, but no response")
}

// One of several endpoints stands still: whichever gets a call, another
// answers it in time.
func TestCallsPassByAnEndpointThatStandsStill(t *testing.T) {
	t.Parallel()
	still := newProxy(t, shared.Addr())
	s := open(t, etcd.Options{Endpoints: []string{still.Addr(), newProxy(t, shared.Addr()).Addr()}})
	for range 2 { // both are connected
		must[store.Snapshot](t)(s.Snapshot(t.Context()))
	}
	still.Freeze()
	defer still.Thaw()
	for range 2 {
		must[store.Snapshot](t)(s.Snapshot(t.Context()))
	}
}

func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	s := open(t, etcd.Options{Endpoints: []string{nobody(t)}})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.Snapshot(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v; want the context's, with the cause", err)
	}
}

func TestClosedStore(t *testing.T) {
	s := must[store.Store](t)(etcd.Open(t.Context(), etcd.Options{Endpoints: []string{shared.URL()}}))
	must[store.Snapshot](t)(s.Snapshot(t.Context()))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err := s.Snapshot(t.Context())
	says(t, err, "closed")
}

func newProxy(t *testing.T, target string) *etcdtest.Proxy {
	p := must[*etcdtest.Proxy](t)(etcdtest.NewProxy(target))
	t.Cleanup(p.Close)
	return p
}

func TestPassword(t *testing.T) {
	t.Parallel()
	p := start(t, "--bcrypt-cost", "4")
	root := raw(t, p.URL())
	ctx := t.Context()
	var errs []error
	note := func(_ any, err error) { errs = append(errs, err) }
	note(root.UserAdd(ctx, "root", "r"))
	note(root.RoleAdd(ctx, "root"))
	note(root.UserGrantRole(ctx, "root", "root"))
	note(root.UserAdd(ctx, "weft", "geheim"))
	note(root.RoleAdd(ctx, "network"))
	note(root.RoleGrantPermission(ctx, "network", "/weft/", "/weft0", 2))
	note(root.UserGrantRole(ctx, "weft", "network"))
	note(root.AuthEnable(ctx))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	o := etcd.Options{Endpoints: []string{p.URL()}, Prefix: "/weft", Username: "weft", Password: "geheim"}
	s := open(t, o)
	follower := storetest.Follow(t, s)
	follower.Next(t)
	if err := s.SetConfig(ctx, []byte("{}"), 0); err != nil {
		t.Fatal(err)
	}
	follower.Until(t, func(s store.Snapshot) bool { return s.Config != nil })
	l := acquireWide(t, s)
	hold := storetest.Hold(t, s, l, owner)

	// A restarted etcd knows no token that it gave out before.
	if err := p.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := s.SetConfig(ctx, []byte(`{"a":1}`), store.AnyRevision); err != nil {
		t.Errorf("after the token was forgotten: %v", err)
	}
	follower.Until(t, func(s store.Snapshot) bool { return string(s.Config) == `{"a":1}` })
	if err := s.Release(ctx, l.Subnets); err != nil {
		t.Error(err)
	}
	if err := hold.Err(t); !errors.Is(err, store.ErrLost) {
		t.Errorf("Hold: %v", err)
	}

	o.Password = "falsch"
	fails(t, o, p.URL(), `password of user "weft" is wrong`)
	o.Username, o.Password = "", ""
	fails(t, o, "--etcd-username")
	o.Username, o.Password, o.Prefix = "weft", "geheim", "/other"
	fails(t, o, `user "weft" lacks permission`, "/other/")
	other := open(t, o)
	says(t, storetest.Follow(t, other).Outage(t), `user "weft" lacks permission`)
}
