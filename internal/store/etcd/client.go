package etcd

import (
	"context"
	"errors"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
)

// errClosed is what calls on a closed store get.
var errClosed = errors.New("the store is closed")

// client is a connection to etcd. It is made without etcd being reachable;
// grpc keeps trying.
type client struct {
	o     Options
	urls  []string
	trail *trail
	lines *lines
	login *login
	etcd  *clientv3.Client

	life context.Context // ends with close
	end  context.CancelFunc
}

func newClient(o Options) (*client, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	urls, secure, err := o.endpoints()
	if err != nil {
		return nil, err
	}
	if !secure && o.usesTLSFiles() {
		o.Log.Warn("the connection to etcd is not encrypted, and the CA, certificate and key files are not used: write https:// in --etcd-endpoints, or omit the files",
			"endpoint", urls[0])
	}
	c := &client{o: o, urls: urls, trail: newTrail(), lines: newLines(), login: newLogin(o)}
	sec, err := newSecurity(o, secure, c.trail)
	if err != nil {
		return nil, err
	}
	c.etcd, err = clientv3.New(clientv3.Config{
		Endpoints:            urls,
		DialKeepAliveTime:    10 * time.Second, // the least that grpc allows
		DialKeepAliveTimeout: 5 * time.Second,
		Logger:               zap.NewNop(), // what matters comes back as an error
		MaxUnaryRetries:      1,            // call tries again itself
		DialOptions: []grpc.DialOption{
			grpc.WithTransportCredentials(sec),
			grpc.WithPerRPCCredentials(c.login),
			grpc.WithContextDialer(c.trail.dialer(o.DialTimeout, c.lines)),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff: grpcbackoff.Config{
					BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second,
				},
				MinConnectTimeout: o.DialTimeout,
			}),
		},
	})
	if err != nil {
		return nil, err
	}
	c.life, c.end = context.WithCancel(context.Background())
	return c, nil
}

func (c *client) close() error {
	if c.life.Err() != nil {
		return nil
	}
	c.end()
	if err := c.etcd.Close(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// ready returns the client, logged in if there is a user.
func (c *client) ready(ctx context.Context) (*clientv3.Client, error) {
	if c.life.Err() != nil {
		return nil, errClosed
	}
	return c.etcd, c.login.ensure(ctx, c.etcd)
}
