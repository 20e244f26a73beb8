package etcd_test

import (
	"os"
	"path/filepath"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/etcd"
	"github.com/weft-net/weft/internal/store/etcdtest"
	"github.com/weft-net/weft/internal/store/storetest"
)

// trio is an etcd of three members with a store that follows it and holds a
// lease all the while.
type trio struct {
	t        *testing.T
	cluster  *etcdtest.Cluster
	options  etcd.Options
	store    store.Store
	follower *storetest.Follower
	holder   *storetest.Holder
	lease    lease.Lease
}

func startTrio(t *testing.T, o etcd.Options, args ...string) *trio {
	t.Helper()
	c := must[*etcdtest.Cluster](t)(etcdtest.StartCluster(t.TempDir(), args...))
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	o.Endpoints, o.Prefix = c.URLs(), newPrefix()
	x := &trio{t: t, cluster: c, options: o, store: open(t, o)}
	x.follower = storetest.Follow(t, x.store)
	x.lease = acquireWide(t, x.store)
	x.holder = storetest.Hold(t, x.store, x.lease, owner)
	x.follower.Until(t, subnets(34))
	return x
}

// arrives fails unless a change that another host makes reaches the follower.
func (x *trio) arrives(doc string) {
	x.t.Helper()
	other := open(x.t, x.options)
	if err := other.SetConfig(x.t.Context(), []byte(doc), store.AnyRevision); err != nil {
		x.t.Fatal(err)
	}
	x.follower.Until(x.t, func(s store.Snapshot) bool { return string(s.Config) == doc && s.Leases.Len() == 1 })
}

// end fails unless the lease was held up to now.
func (x *trio) end() {
	x.t.Helper()
	if err := x.store.Release(x.t.Context(), x.lease.Subnets); err != nil {
		x.t.Fatal(err)
	}
	says(x.t, x.holder.Err(x.t), "deleted")
	x.follower.Until(x.t, subnets())
}

// leader returns the member that leads, and another.
func (x *trio) leader() (leads, follows int) {
	x.t.Helper()
	for x.t.Context().Err() == nil {
		for i, m := range x.cluster.Members {
			s, err := raw(x.t, m.URL()).Status(x.t.Context(), m.URL())
			if err == nil && s.Leader == s.Header.MemberId {
				return i, (i + 1) % len(x.cluster.Members)
			}
		}
	}
	x.t.Fatal("nobody leads")
	return 0, 0
}

func TestAClusterThatChangesItsLeader(t *testing.T) {
	t.Parallel()
	x := startTrio(t, etcd.Options{})
	for _, doc := range []string{`{"a":1}`, `{"a":2}`, `{"a":3}`} {
		from, to := x.leader()
		members := x.cluster.Members
		id := must[*clientv3.StatusResponse](t)(raw(t, members[to].URL()).Status(t.Context(), members[to].URL())).Header.MemberId
		if _, err := raw(t, members[from].URL()).MoveLeader(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		x.arrives(doc)
	}
	x.end()
}

// Each member dies in turn, and so the one that leads and the one that the
// store talks to.
func TestAClusterThatLosesAMember(t *testing.T) {
	t.Parallel()
	x := startTrio(t, etcd.Options{})
	for i, m := range x.cluster.Members {
		m.Kill()
		x.arrives([]string{`{"a":1}`, `{"b":1}`, `{"c":1}`}[i])
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		x.arrives([]string{`{"a":2}`, `{"b":2}`, `{"c":2}`}[i])
	}
	x.end()
}

// The CA, its certificates and the clients' are replaced on disk, in the order
// in which one does that under traffic: trust both, hand out the new, forget
// the old. Members restart one by one, since etcd reads its CA only then; the
// store does not.
func TestAClusterThatRotatesItsCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := must[*etcdtest.CA](t)(etcdtest.NewCA(dir, "before"))
	after := must[*etcdtest.CA](t)(etcdtest.NewCA(dir, "after"))
	trusted := filepath.Join(dir, "trusted.crt")
	trust := func(cas ...*etcdtest.CA) {
		var bundle []byte
		for _, ca := range cas {
			bundle = append(bundle, must[[]byte](t)(os.ReadFile(ca.File))...)
		}
		if err := os.WriteFile(trusted, bundle, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust(before)
	cert, key := issue(t, before, "server")
	clientCert, clientKey := issue(t, before, "client")
	x := startTrio(t, etcd.Options{CAFile: trusted, CertFile: clientCert, KeyFile: clientKey},
		"--cert-file", cert, "--key-file", key, "--client-cert-auth", "--trusted-ca-file", trusted)
	restart := func() {
		for _, m := range x.cluster.Members {
			if err := m.Restart(); err != nil {
				t.Fatal(err)
			}
		}
	}
	trust(before, after)
	restart()
	x.arrives(`{"trusts":"both"}`)
	issue(t, after, "server")
	issue(t, after, "client")
	restart()
	x.arrives(`{"issued":"new"}`)
	trust(after)
	restart()
	x.arrives(`{"trusts":"new"}`)
	x.end()
}
