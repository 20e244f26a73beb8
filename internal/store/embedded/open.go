package embedded

import (
	"context"
	"errors"
	"log/slog"

	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/store"
	"github.com/weft-net/weft/internal/store/etcd"
)

// Options say where the store of this host alone is kept.
type Options struct {
	Dir    string       // as ServerOptions.Dir
	Prefix string       // of all keys; default etcd.DefaultPrefix
	Log    *slog.Logger // default: nothing is logged
}

// own is a store together with the server under it.
type own struct {
	store.Store
	server *Server
}

// Open starts a server on a socket in o.Dir and returns the store in it, which
// ends the server when it is closed.
func Open(ctx context.Context, o Options) (store.Store, error) {
	server, err := Serve(ctx, ServerOptions{Dir: o.Dir, Log: o.Log})
	if err != nil {
		return nil, err
	}
	s, err := etcd.Open(ctx, etcd.Options{Endpoints: server.Endpoints(), Prefix: o.Prefix, Exclusive: true, Log: o.Log})
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return own{Store: s, server: server}, nil
}

// Terms implements store.Timer.
func (o own) Terms(ctx context.Context, leases []lease.Lease) error {
	return o.Store.(store.Timer).Terms(ctx, leases) // an etcd.Store is one
}

// Close ends the connection first, so that the server need not wait for it.
func (o own) Close() error { return errors.Join(o.Store.Close(), o.server.Close()) }
