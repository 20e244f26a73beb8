package etcd_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/store/storetest"
)

// contents returns all keys below prefix with their values.
func contents(t *testing.T, c *clientv3.Client, prefix string) (map[string]string, []clientv3.LeaseID) {
	t.Helper()
	resp := must[*clientv3.GetResponse](t)(c.Get(t.Context(), prefix+"/", clientv3.WithPrefix()))
	keys := map[string]string{}
	var ids []clientv3.LeaseID
	for _, kv := range resp.Kvs {
		keys[strings.TrimPrefix(string(kv.Key), prefix+"/")] = string(kv.Value)
		ids = append(ids, clientv3.LeaseID(kv.Lease))
	}
	slices.Sort(ids)
	return keys, slices.Compact(ids)
}

func TestKeysAndValues(t *testing.T) {
	t.Parallel()
	const (
		rangesV6 = `"EnableIPv6":true,"IPv6Network":"fc00:5::/48"`
		ownerRec = `{"id":"id-1","hostname":"host-1","machine":"m-1"}`
		mac      = `{"VNI":1,"VtepMAC":"ee:d7:5f:67:71:11"}`
	)
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for name, c := range map[string]struct {
		net       string
		public    []netip.Addr
		preferred []netip.Prefix
		data      lease.Data
		want      map[string]string
	}{
		"v4": {
			wide, []netip.Addr{v4}, []netip.Prefix{netip.MustParsePrefix("10.5.34.0/24")}, lease.Data{V4: []byte(mac)},
			map[string]string{
				"subnets/10.5.34.0-24":     `{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":` + mac + `}`,
				"weft/owners/10.5.34.0-24": ownerRec,
				"weft/ids/id-1":            "10.5.34.0-24",
				"weft/addrs/192.0.2.1":     "10.5.34.0-24",
			},
		},
		"both": {
			`{"Network":"10.5.0.0/16",` + rangesV6 + `}`, []netip.Addr{v4, v6},
			[]netip.Prefix{netip.MustParsePrefix("10.5.34.0/24"), netip.MustParsePrefix("fc00:5:0:1b::/64")},
			lease.Data{V4: []byte(mac), V6: []byte(mac)},
			map[string]string{
				"subnets/10.5.34.0-24&fc00:5:0:1b::-64":     `{"PublicIP":"192.0.2.1","PublicIPv6":"2001:db8::1","BackendType":"vxlan","BackendData":` + mac + `,"BackendV6Data":` + mac + `}`,
				"weft/owners/10.5.34.0-24&fc00:5:0:1b::-64": ownerRec,
				"weft/ids/id-1":          "10.5.34.0-24&fc00:5:0:1b::-64",
				"weft/addrs/192.0.2.1":   "10.5.34.0-24&fc00:5:0:1b::-64",
				"weft/addrs/2001:db8::1": "10.5.34.0-24&fc00:5:0:1b::-64",
			},
		},
		"v6": {
			`{"EnableIPv4":false,` + rangesV6 + `}`, []netip.Addr{v6},
			[]netip.Prefix{netip.MustParsePrefix("fc00:5:0:1b::/64")}, lease.Data{},
			map[string]string{
				"subnets/0.0.0.0-0&fc00:5:0:1b::-64":     `{"PublicIP":"0.0.0.0","PublicIPv6":"2001:db8::1","BackendType":"vxlan"}`,
				"weft/owners/0.0.0.0-0&fc00:5:0:1b::-64": ownerRec,
				"weft/ids/id-1":                          "0.0.0.0-0&fc00:5:0:1b::-64",
				"weft/addrs/2001:db8::1":                 "0.0.0.0-0&fc00:5:0:1b::-64",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			prefix, other := newPrefix(), raw(t, shared.URL())
			s := open(t, etcd.Options{Endpoints: []string{shared.URL()}, Prefix: prefix})
			cl := lease.Claim{Owner: owner, Attrs: lease.Attrs{Public: c.public, Backend: "vxlan", Data: c.data}, Preferred: c.preferred}
			l := acquire(t, s, c.net, cl)
			keys, ids := contents(t, other, prefix)
			for k, v := range c.want {
				if keys[k] != v {
					t.Errorf("%s = %s\nwant %s", k, keys[k], v)
				}
			}
			if len(keys) != len(c.want) || len(ids) != 1 || ids[0] == clientv3.NoLease {
				t.Errorf("keys %v on etcd leases %v; want %d keys on one", keys, ids, len(c.want))
			}
			if err := s.Release(t.Context(), l.Subnets); err != nil {
				t.Error(err)
			}
			if keys, _ := contents(t, other, prefix); len(keys) != 0 {
				t.Errorf("left after Release: %v", keys)
			}
		})
	}
}

func TestConfigKey(t *testing.T) {
	other := raw(t, shared.URL())
	for _, prefix := range []string{newPrefix(), newPrefix() + "/"} {
		s := open(t, etcd.Options{Endpoints: []string{shared.URL()}, Prefix: prefix})
		if err := s.SetConfig(t.Context(), []byte(wide), 0); err != nil {
			t.Fatal(err)
		}
		if keys, _ := contents(t, other, strings.TrimSuffix(prefix, "/")); keys["config"] != wide || len(keys) != 1 {
			t.Errorf("prefix %s: keys %v", prefix, keys)
		}
	}
}

// An etcd of its own, so that the etcd leases can be counted.
func TestNoEtcdLeaseIsLeftBehind(t *testing.T) {
	t.Parallel()
	p := start(t)
	other := raw(t, p.URL())
	s := open(t, etcd.Options{Endpoints: []string{p.URL()}})
	check := func(what string, want int) {
		t.Helper()
		all := must[*clientv3.LeaseLeasesResponse](t)(other.Leases(t.Context()))
		_, ids := contents(t, other, etcd.DefaultPrefix)
		ids = slices.DeleteFunc(ids, func(id clientv3.LeaseID) bool { return id == clientv3.NoLease })
		if len(all.Leases) != want || len(ids) != want {
			t.Errorf("after %s: %d etcd leases, keys are attached to %d; want %d", what, len(all.Leases), len(ids), want)
		}
	}
	flanneld := put(t, other, etcd.DefaultPrefix+"/subnets/10.5.34.0-24", `{"PublicIP":"192.0.2.1","BackendType":"udp"}`, 24*time.Hour)
	l := acquireWide(t, s)
	check("adopting flanneld's", 1)
	if _, ids := contents(t, other, etcd.DefaultPrefix); len(ids) != 1 || ids[0] != flanneld {
		t.Errorf("keys are attached to %v, flanneld's was %v", ids, flanneld)
	}
	for range 3 {
		acquireWide(t, s)
	}
	check("acquiring again", 1)
	moved := claim()
	moved.Public = []netip.Addr{netip.MustParseAddr("192.0.2.9")}
	acquire(t, s, wide, moved)
	check("a change of address", 1)
	if keys, _ := contents(t, other, etcd.DefaultPrefix); keys["weft/addrs/192.0.2.1"] != "" || keys["weft/addrs/192.0.2.9"] != "10.5.34.0-24" {
		t.Errorf("addresses: %v", keys)
	}
	l = acquire(t, s, `{"Network":"10.6.0.0/16"}`, moved)
	check("a change of network", 2)
	if err := s.Release(t.Context(), claim().Preferred); err != nil {
		t.Fatal(err)
	}
	check("releasing what drains", 1)
	taken := claim()
	taken.Owner = lease.Owner{ID: "other"}
	taken.Public = moved.Public
	if _, err := s.Acquire(t.Context(), network(t, wide), taken); err == nil {
		t.Error("two hosts have one address")
	}
	check("a refused claim", 1)
	if err := s.Reserve(t.Context(), lease.Lease{Subnets: l.Subnets}); err != nil {
		t.Fatal(err)
	}
	check("reserving it", 0)
	acquire(t, s, `{"Network":"10.6.0.0/16"}`, moved)
	check("acquiring the reservation", 0)
	if err := s.Release(t.Context(), l.Subnets); err != nil {
		t.Fatal(err)
	}
	acquireWide(t, s)
	check("starting anew", 1)
	if err := s.Release(t.Context(), claim().Preferred); err != nil {
		t.Fatal(err)
	}
	check("Release", 0)
}

// A short-lived lease is given the full time.
func TestShortLivedLeaseIsReplaced(t *testing.T) {
	t.Parallel()
	prefix, other := newPrefix(), raw(t, shared.URL())
	short := put(t, other, leaseKey(prefix, 34), `{"PublicIP":"192.0.2.1","BackendType":"udp"}`, time.Minute)
	l := acquireWide(t, open(t, etcd.Options{Endpoints: []string{shared.URL()}, Prefix: prefix}))
	keys, ids := contents(t, other, prefix)
	if l.TTL != 24*time.Hour || len(keys) != 4 || len(ids) != 1 || ids[0] == short {
		t.Errorf("TTL %v, keys %v on %v", l.TTL, keys, ids)
	}
	if ttl := must[*clientv3.LeaseTimeToLiveResponse](t)(other.TimeToLive(t.Context(), short)); ttl.TTL > 0 {
		t.Errorf("the etcd lease without a key still lives, %d s", ttl.TTL)
	}
}

// flanneld renews by a new etcd lease and a Put. The lease must not die with
// that, nor apart from weft's records.
func TestHoldRestoresTheEtcdLease(t *testing.T) {
	t.Parallel()
	prefix, other := newPrefix(), raw(t, shared.URL())
	s := open(t, etcd.Options{Endpoints: []string{shared.URL()}, Prefix: prefix})
	l := acquireWide(t, s)
	before, ids := contents(t, other, prefix)
	storetest.Hold(t, s, l, owner)
	short := put(t, other, leaseKey(prefix, 34), before["subnets/10.5.34.0-24"], time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	watch := other.Watch(ctx, leaseKey(prefix, 34), clientv3.WithRev(1))
	for restored := false; !restored; {
		resp, ok := <-watch
		if !ok || resp.Err() != nil {
			t.Fatal("the lease was not restored:", resp.Err())
		}
		last := resp.Events[len(resp.Events)-1].Kv
		restored = last.Version > 2 && last.Lease == int64(ids[0]) // its maker's, another program's, restored
	}
	must[*clientv3.LeaseRevokeResponse](t)(other.Revoke(t.Context(), short))
	after, now := contents(t, other, prefix)
	if !maps.Equal(after, before) || !slices.Equal(now, ids) {
		t.Errorf("keys %v on %v, before %v on %v", after, now, before, ids)
	}
}

func TestHoldRenews(t *testing.T) {
	t.Parallel()
	renewed := renewals{make(chan struct{}, 100)}
	s := must[store.Store](t)(etcd.Open(t.Context(), etcd.Options{
		Endpoints: []string{shared.URL()}, Prefix: newPrefix(), Log: slog.New(renewed),
	}))
	t.Cleanup(func() { s.Close() })
	l := acquireWide(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Hold(ctx, l, owner, 2*l.TTL) }() // so it is due
	renewed.wait(t)
	if left := time.Until(s.(store.Expirer).Expires()); left < l.TTL-time.Minute || left > l.TTL {
		t.Errorf("%s are left after a renewal for %s", left, l.TTL)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Hold: %v", err)
	}
}

// renewals is a log that rings for every renewal.
type renewals struct{ rung chan struct{} }

func (r renewals) Enabled(context.Context, slog.Level) bool { return true }
func (r renewals) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r renewals) WithGroup(string) slog.Handler            { return r }

func (r renewals) Handle(_ context.Context, rec slog.Record) error {
	if rec.Message == "lease renewed" {
		r.rung <- struct{}{}
	}
	return nil
}

func (r renewals) wait(t *testing.T) {
	t.Helper()
	select {
	case <-r.rung:
	case <-time.After(20 * time.Second):
		t.Fatal("no renewal came")
	}
}

// What only weft's own records say is no news to followers.
func TestOwnRecordsMakeNoSnapshot(t *testing.T) {
	t.Parallel()
	prefix, other := newPrefix(), raw(t, shared.URL())
	s := open(t, etcd.Options{Endpoints: []string{shared.URL()}, Prefix: prefix})
	value := must[[]byte](t)(lease.MarshalAttrs(claim().Attrs))
	put(t, other, leaseKey(prefix, 34), string(value), 24*time.Hour)
	follower := storetest.Follow(t, s)
	follower.Until(t, subnets(34))
	acquireWide(t, s) // adopts it: owner, id and address are recorded, the lease stays as it is
	if keys, _ := contents(t, other, prefix); len(keys) != 4 {
		t.Fatalf("keys %v", keys)
	}
	put(t, other, leaseKey(prefix, 35), "{}", 0)
	if u := follower.Next(t); u.Snapshot == nil || !subnets(34, 35)(*u.Snapshot) {
		t.Errorf("the next update is %+v", u)
	}
}
