package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// withSettled runs work beside an agent that has settled in a new vxlan network
// of n peers, and ends the agent. The name is of the network and its folder.
func withSettled(
	ctx context.Context, o *options, etcd *clientv3.Client, name string, n int, work func(*world, *network, *agent) error,
) (err error) {
	net, err := newNetwork(ctx, etcd, "/bench/"+name, vxlanBackend)
	if err != nil {
		return err
	}
	if err := net.fill(ctx, peersUpTo(n)); err != nil {
		return err
	}
	w, err := newWorld()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	a, _, err := start(ctx, w, o, net.etcdArgs(o), nil, filepath.Join(o.dir, name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.stop()) }()
	time.Sleep(settle)
	return work(w, net, a)
}
