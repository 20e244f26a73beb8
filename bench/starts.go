package main

import (
	"context"
	"fmt"
	"path/filepath"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/weft-net/weft/internal/store/embedded"
)

// measureStarts serves an etcd in the bench's own namespace and runs every
// case of one agent with it.
func measureStarts(ctx context.Context, o *options) ([]result, error) {
	etcd, closeStore, err := serveEtcd(ctx, o, "etcd")
	if err != nil {
		return nil, err
	}
	defer closeStore()
	var all []result
	for _, backend := range o.backends {
		for _, n := range o.peers {
			progress("%s, %d peers ...", backend, n)
			r, err := measure(ctx, o, etcd, backend, n)
			if err != nil {
				return nil, err
			}
			all = append(all, r)
		}
	}
	return all, nil
}

// serveEtcd serves one in the bench's own namespace, with its data under name.
func serveEtcd(ctx context.Context, o *options, name string) (*clientv3.Client, func(), error) {
	if err := addressHub(); err != nil {
		return nil, nil, fmt.Errorf("address the store's host: %w", err)
	}
	server, err := embedded.Serve(ctx, embedded.ServerOptions{Dir: filepath.Join(o.dir, name), Listen: hubAddr.String() + ":0"})
	if err != nil {
		return nil, nil, err
	}
	o.endpoint = server.Endpoints()[0]
	etcd, err := clientv3.New(clientv3.Config{Endpoints: server.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		server.Close()
		return nil, nil, err
	}
	return etcd, func() {
		_ = etcd.Close()
		_ = server.Close()
	}, nil
}
