package etcd_test

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/store/etcdtest"
	"github.com/weft-net/weft/internal/store/storetest"
)

// guarded starts an etcd with users, in which user "flannel" has the role of
// that name with these permissions. It returns the client of its root.
func guarded(t *testing.T, grants ...grant) (*etcdtest.Process, *clientv3.Client) {
	t.Helper()
	p := start(t, "--bcrypt-cost", "4")
	anyone := raw(t, p.URL())
	ctx := t.Context()
	var errs []error
	note := func(_ any, err error) { errs = append(errs, err) }
	note(anyone.UserAdd(ctx, "root", "r"))
	note(anyone.RoleAdd(ctx, "root"))
	note(anyone.UserGrantRole(ctx, "root", "root"))
	note(anyone.UserAdd(ctx, "flannel", "geheim"))
	note(anyone.RoleAdd(ctx, "flannel"))
	for _, g := range grants {
		note(anyone.RoleGrantPermission(ctx, "flannel", g.from, g.to, g.kind))
	}
	note(anyone.UserGrantRole(ctx, "flannel", "flannel"))
	note(anyone.AuthEnable(ctx))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	root := must[*clientv3.Client](t)(clientv3.New(clientv3.Config{Endpoints: []string{p.URL()}, Username: "root", Password: "r"}))
	t.Cleanup(func() { root.Close() })
	return p, root
}

type grant struct {
	from, to string
	kind     clientv3.PermissionType
}

const (
	mayRead  = clientv3.PermissionType(clientv3.PermRead)
	mayWrite = clientv3.PermissionType(clientv3.PermReadWrite)
)

var (
	onConfig  = grant{"/net/config", "", mayRead}
	onSubnets = grant{"/net/subnets/", "/net/subnets0", mayWrite}
	onRecords = grant{"/net/weft/", "/net/weft0", mayWrite}
)

// TestFlannelsRoleSuffices holds that leases are acquired, held, followed,
// repaired and released with the permissions that flanneld needs, however they
// were granted, that nothing is kept beside them, and that snapshots say so.
func TestFlannelsRoleSuffices(t *testing.T) {
	for name, grants := range map[string][]grant{
		"only flannel's keys":         {onConfig, onSubnets},
		"all keys may be read":        {{"/net/", "/net0", mayRead}, onSubnets},
		"weft's keys may be read":     {onConfig, onSubnets, {"/net/weft/", "/net/weft0", mayRead}},
		"one range, but not weft's":   {{"/net/config", "/net/subnets0", mayWrite}},
		"the records can be written ": {onConfig, onSubnets, {"/net/weft/", "/net/weft0", clientv3.PermissionType(clientv3.PermWrite)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, root := guarded(t, grants...)
			put(t, root, "/net/config", wide, 0)
			o := etcd.Options{Endpoints: []string{p.URL()}, Prefix: "/net", Username: "flannel", Password: "geheim"}
			s := open(t, o)
			follower := storetest.Follow(t, s)
			follower.Until(t, func(s store.Snapshot) bool { return string(s.Config) == wide })
			l := acquireWide(t, s)
			hold := storetest.Hold(t, s, l, owner)
			snap := follower.Until(t, func(s store.Snapshot) bool { return s.Leases.Len() == 1 && len(s.Notes) == 1 })
			says(t, snap.Notes[0].Err, `user "flannel" may not read and write /net/weft/`, "a copy of this host", "grant-permission")

			if keys := keysOf(t, root); !slices.Equal(keys, []string{"/net/config", "/net/subnets/10.5.34.0-24"}) {
				t.Errorf("keys %q", keys)
			}
			repairs(t, root, l)
			again(t, o, l)
			if err := s.Reserve(t.Context(), lease.Lease{Subnets: []netip.Prefix{netip.MustParsePrefix("10.5.99.0/24")}}); err != nil {
				t.Error(err)
			}
			follower.Until(t, func(s store.Snapshot) bool { return s.Leases.Len() == 2 })
			if err := s.Release(t.Context(), l.Subnets); err != nil {
				t.Error(err)
			}
			if err := hold.Err(t); !errors.Is(err, store.ErrLost) {
				t.Errorf("Hold: %v", err)
			}
		})
	}
}

// TestLeaseOverwrittenBeforeItIsHeld holds that a lease whose key another
// program wrote between Acquire and Hold gets its time to live back, although
// no record of weft's tells what that was.
func TestLeaseOverwrittenBeforeItIsHeld(t *testing.T) {
	t.Parallel()
	p, root := guarded(t, onConfig, onSubnets)
	put(t, root, "/net/config", wide, 0)
	s := open(t, etcd.Options{Endpoints: []string{p.URL()}, Prefix: "/net", Username: "flannel", Password: "geheim"})
	l := acquireWide(t, s)
	key := "/net/subnets/" + lease.Key(l.Subnets)
	before := must[*clientv3.GetResponse](t)(root.Get(t.Context(), key)).Kvs[0]
	put(t, root, key, strings.Replace(string(before.Value), `"VNI":1`, `"VNI":9`, 1), 0)
	storetest.Hold(t, s, l, owner)
	restored(t, root, before)
}

func keysOf(t *testing.T, root *clientv3.Client) []string {
	t.Helper()
	resp := must[*clientv3.GetResponse](t)(root.Get(t.Context(), "/net/", clientv3.WithPrefix()))
	all := map[string]bool{}
	for _, kv := range resp.Kvs {
		all[string(kv.Key)] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// repairs writes a held lease as another program might, and waits for it to be
// as it was.
func repairs(t *testing.T, root *clientv3.Client, l lease.Lease) {
	t.Helper()
	key := "/net/subnets/" + lease.Key(l.Subnets)
	before := must[*clientv3.GetResponse](t)(root.Get(t.Context(), key)).Kvs[0]
	put(t, root, key, strings.Replace(string(before.Value), `"VNI":1`, `"VNI":9`, 1), 0)
	restored(t, root, before)
}

// restored waits for a key to be as it was before.
func restored(t *testing.T, root *clientv3.Client, before *mvccpb.KeyValue) {
	t.Helper()
	until(t, root, "the lease to be restored", func() bool {
		now := must[*clientv3.GetResponse](t)(root.Get(t.Context(), string(before.Key))).Kvs[0]
		return string(now.Value) == string(before.Value) && now.Lease == before.Lease
	})
}

// until looks at first and after each change of a key, until it is as wanted.
func until(t *testing.T, root *clientv3.Client, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	changes := root.Watch(ctx, "/net/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	for range changes {
		if ok() {
			return
		}
	}
	t.Errorf("waited in vain for %s; there are %q", what, keysOf(t, root))
}

// again acquires for the same host after a restart, and for another one.
func again(t *testing.T, o etcd.Options, l lease.Lease) {
	t.Helper()
	s := open(t, o)
	c := claim()
	c.Session = "another"
	if got := acquire(t, s, wide, c); !slices.Equal(got.Subnets, l.Subnets) {
		t.Errorf("after a restart the host has %v instead of %v", got.Subnets, l.Subnets)
	}
	other := claim()
	other.Owner = lease.Owner{ID: "id-2", Hostname: "host-2"}
	other.Public = []netip.Addr{netip.MustParseAddr("192.0.2.2")}
	got := acquire(t, s, wide, other)
	if slices.Equal(got.Subnets, l.Subnets) {
		t.Errorf("another host has the same subnets %v", got.Subnets)
	}
	if err := s.Release(t.Context(), got.Subnets); err != nil {
		t.Error(err)
	}
}

// TestRecordsComeWithPermission: what was missing is used once it is granted,
// and nothing is missing where weft's keys are granted apart from flannel's.
func TestRecordsComeWithPermission(t *testing.T) {
	t.Parallel()
	p, root := guarded(t, onConfig, onSubnets)
	put(t, root, "/net/config", wide, 0)
	s := open(t, etcd.Options{Endpoints: []string{p.URL()}, Prefix: "/net", Username: "flannel", Password: "geheim"})
	follower := storetest.Follow(t, s)
	follower.Until(t, func(s store.Snapshot) bool { return len(s.Notes) == 1 })
	l := acquireWide(t, s)
	storetest.Hold(t, s, l, owner)
	if _, err := root.RoleGrantPermission(t.Context(), "flannel", onRecords.from, onRecords.to, onRecords.kind); err != nil {
		t.Fatal(err)
	}
	follower.Until(t, func(s store.Snapshot) bool { return len(s.Notes) == 0 && s.Leases.Len() == 1 })
	until(t, root, "the host's record", func() bool {
		return slices.Contains(keysOf(t, root), "/net/weft/owners/10.5.34.0-24")
	})
}

// TestRecordsThatMayOnlyBeRead: the record of the claimant's lease is of another
// boot, whose agent cannot be asked. As with flanneld the address decides.
func TestRecordsThatMayOnlyBeRead(t *testing.T) {
	t.Parallel()
	p, root := guarded(t, onConfig, onSubnets, grant{onRecords.from, onRecords.to, mayRead})
	put(t, root, "/net/subnets/10.5.7.0-24", `{"PublicIP":"192.0.2.1","BackendType":"vxlan"}`, time.Hour)
	put(t, root, "/net/weft/owners/10.5.7.0-24", `{"id":"id-1","hostname":"host-1","machine":"m-1","boot":"b-9","session":"s-9"}`, time.Hour)
	s := open(t, etcd.Options{Endpoints: []string{p.URL()}, Prefix: "/net", Username: "flannel", Password: "geheim"})
	c := claim()
	c.Boot, c.Session = "b-1", "s-1"
	if l := acquire(t, s, wide, c); lease.Key(l.Subnets) != "10.5.7.0-24" {
		t.Errorf("the host has %v", l.Subnets)
	}
}
