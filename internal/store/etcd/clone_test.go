package etcd_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/store/storetest"
)

// inSession is claim as an agent makes it.
func inSession(boot, session string) lease.Claim {
	c := claim()
	c.Boot, c.Session = boot, session
	return c
}

// A clone that tries again without a pause neither takes the lease nor makes
// etcd busy, and gets the lease when the original is gone and has released it.
func TestACloneAsksRarely(t *testing.T) {
	t.Parallel()
	o := etcd.Options{Endpoints: []string{shared.URL()}, Prefix: newPrefix()}
	original, copied, other := open(t, o), open(t, o), raw(t, shared.URL())
	ctx, cancel := context.WithCancel(t.Context())
	l := acquire(t, original, wide, inSession("b-1", "s-1"))
	held := make(chan error, 1)
	go func() { held <- original.Hold(ctx, l, inSession("b-1", "s-1").Owner, time.Hour) }()

	events := other.Watch(t.Context(), o.Prefix, clientv3.WithPrefix())
	within, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	tries := 0
	for within.Err() == nil {
		_, err := copied.Acquire(within, network(t, wide), inSession("b-2", "s-2"))
		if _, isClone := errors.AsType[*lease.CloneError](err); !isClone && within.Err() == nil {
			t.Fatalf("error %v, want a CloneError", err)
		}
		tries++
	}
	written := 0
	for more := true; more; {
		select {
		case resp := <-events:
			written += len(resp.Events)
		default:
			more = false
		}
	}
	if tries > 2 || written > 6 { // a question, its answer, its end
		t.Errorf("%d tries and %d writes within three seconds", tries, written)
	}

	cancel()
	if err := <-held; !errors.Is(err, context.Canceled) {
		t.Errorf("the original's Hold: %v", err)
	}
	if err := original.Release(t.Context(), l.Subnets); err != nil {
		t.Fatal(err)
	}
	if got := acquire(t, copied, wide, inSession("b-2", "s-2")); got.Subnets[0] != l.Subnets[0] {
		t.Errorf("after the release got %v", got.Subnets)
	}
	if keys, _ := contents(t, other, o.Prefix); len(keys) != 4 {
		t.Errorf("left are %v", keys)
	}
}

// Another program deletes the lease as soon as it is there.
func TestALeaseThatIsDeletedAgainAndAgain(t *testing.T) {
	t.Parallel()
	prefix, other := newPrefix(), raw(t, shared.URL())
	s := open(t, etcd.Options{Endpoints: []string{shared.URL()}, Prefix: prefix})
	within, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	events := other.Watch(within, leaseKey(prefix, 34), clientv3.WithFilterDelete())
	storetest.Keep(t, s, wide, claim())
	made := 0
	for resp := range events {
		made += len(resp.Events)
		if _, err := other.Delete(t.Context(), leaseKey(prefix, 34)); err != nil {
			t.Fatal(err)
		}
	}
	if made == 0 || made > 5 { // two at once, then after half a second, one, two
		t.Errorf("made %d times within three seconds", made)
	}
}

// Setting the host up anew leaves nothing of the old identity.
func TestATakeoverLeavesNoKeyBehind(t *testing.T) {
	t.Parallel()
	prefix, other := newPrefix(), raw(t, shared.URL())
	s := open(t, etcd.Options{Endpoints: []string{shared.URL()}, Prefix: prefix})
	acquire(t, s, wide, inSession("b-1", "s-1"))
	anew := inSession("b-2", "s-2")
	anew.ID, anew.Hostname, anew.Machine, anew.Public = "id/2", "host-2", "m-2", []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	acquire(t, s, wide, anew)
	keys, _ := contents(t, other, prefix)
	if len(keys) != 4 || keys["weft/ids/id%2F2"] != "10.5.34.0-24" {
		t.Errorf("keys %v", keys)
	}
}
