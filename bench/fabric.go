package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/weft-net/weft/internal/lab"
)

// fabric is two hosts of a network with a pod each, among peers that exist in
// etcd alone, and a host outside of the network.
type fabric struct {
	lab      *lab.Lab
	hosts    []*lab.Host
	from, to *lab.Pod
	outside  *lab.Host
}

// topology puts all hosts on one segment; out is outside, etcd holds the store.
func topology() lab.Topology {
	t := lab.Topology{Segments: []lab.Segment{{Name: "a", Prefixes: []netip.Prefix{underlay}}}}
	at := hubAddr
	for _, name := range []string{lab.StoreHost, "h1", "h2", "out"} {
		t.Hosts = append(t.Hosts, lab.HostSpec{Name: name, Segment: "a", Addrs: []netip.Addr{at}})
		at = at.Next()
	}
	return t
}

// newFabric has agents make everything, and stops them: what they made stays,
// and nobody mends it.
func newFabric(ctx context.Context, o *options, backend string, n int) (*fabric, error) {
	dir := filepath.Join(o.dir, fmt.Sprintf("%s-%d", backend, n))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	l, err := lab.New(topology(), lab.Options{Dir: dir, Binary: o.weft})
	if err != nil {
		return nil, err
	}
	f := &fabric{lab: l}
	if err := f.build(ctx, backend, n); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return f, nil
}

func (f *fabric) build(ctx context.Context, backend string, n int) (err error) {
	for _, name := range []string{"h1", "h2"} {
		h, err := f.lab.Host(name)
		if err != nil {
			return err
		}
		f.hosts = append(f.hosts, h)
	}
	if f.outside, err = f.lab.Host("out"); err != nil {
		return err
	}
	const prefix = "/bench"
	if err := f.fill(ctx, prefix, backend, peersUpTo(n)); err != nil {
		return err
	}
	var agents []*lab.Process
	for _, h := range f.hosts {
		a, err := h.StartAgent(ctx, "--etcd-prefix", prefix, "--iface", lab.Uplink, "--ip-masq")
		if err != nil {
			return err
		}
		agents = append(agents, a)
	}
	if err := f.addPods(); err != nil {
		return err
	}
	if err := f.awaitRoutes(ctx); err != nil {
		return err
	}
	for _, a := range agents {
		if err := a.Stop(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fill starts the store and puts the network with its peers in.
func (f *fabric) fill(ctx context.Context, prefix, backend string, peers []peer) error {
	store, err := f.lab.Host(lab.StoreHost)
	if err != nil {
		return err
	}
	if _, err := store.StartEtcd(ctx, lab.EtcdBuiltIn); err != nil {
		return err
	}
	dial := func(ctx context.Context, to string) (conn net.Conn, err error) {
		err = store.Do(func() error {
			conn, err = new(net.Dialer).DialContext(ctx, "tcp", to)
			return err
		})
		return conn, err
	}
	etcd, err := clientv3.New(clientv3.Config{
		Endpoints:   []string{f.lab.Endpoints()},
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(dial)},
		Logger:      zap.NewNop(),
	})
	if err != nil {
		return err
	}
	defer etcd.Close()
	n, err := newNetwork(ctx, etcd, prefix, backend)
	if err != nil {
		return err
	}
	return n.fill(ctx, peers)
}

// addPods adds a pod on each host; the host outside learns the way back to the
// first, which it needs when nobody masquerades.
func (f *fabric) addPods() (err error) {
	if f.from, err = f.hosts[0].AddPod("p1"); err != nil {
		return err
	}
	if f.to, err = f.hosts[1].AddPod("p2"); err != nil {
		return err
	}
	return f.outside.AddRoute(f.from.Addrs[0].Masked(), f.hosts[0].Addrs[0].Addr())
}

// awaitRoutes returns when both hosts know of each other.
func (f *fabric) awaitRoutes(ctx context.Context) error {
	err := ctx.Err()
	for deadline := time.Now().Add(startLimit); ctx.Err() == nil && time.Now().Before(deadline); {
		if _, err = flood(f.toPod(), payload, time.Millisecond); err == nil {
			return nil
		}
	}
	return fmt.Errorf("wait for packets from pod to pod: %w", err)
}

func (f *fabric) close() error { return f.lab.Close() }
