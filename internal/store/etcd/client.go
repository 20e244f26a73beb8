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

// client is a connection to etcd that is made when it is first needed, so
// that a store can be opened while etcd is down. (With a user name the etcd
// library logs in while it is constructed.)
type client struct {
	o     Options
	urls  []string
	trail *trail
	sec   *security

	life context.Context // ends with close
	end  context.CancelFunc

	turn chan struct{} // holds one token; whoever has it may look at etcd
	etcd *clientv3.Client
}

func newClient(o Options) (*client, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	urls, secure, err := o.endpoints()
	if err != nil {
		return nil, err
	}
	c := &client{o: o, urls: urls, trail: newTrail(), turn: make(chan struct{}, 1)}
	if c.sec, err = newSecurity(o, secure, c.trail); err != nil {
		return nil, err
	}
	c.life, c.end = context.WithCancel(context.Background())
	c.turn <- struct{}{}
	return c, nil
}

func (c *client) close() error {
	c.end()
	<-c.turn
	defer func() { c.turn <- struct{}{} }()
	if c.etcd == nil {
		return nil
	}
	err := c.etcd.Close()
	c.etcd = nil
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// get returns the connected client, connecting first if need be.
func (c *client) get(ctx context.Context) (*clientv3.Client, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.turn:
	}
	defer func() { c.turn <- struct{}{} }()
	if c.life.Err() != nil {
		return nil, errClosed
	}
	if c.etcd != nil {
		return c.etcd, nil
	}
	var err error
	c.etcd, err = c.connect(ctx)
	return c.etcd, err
}

// connect makes a client that lives as long as c; only making it ends with ctx.
func (c *client) connect(ctx context.Context) (*clientv3.Client, error) {
	life, end := context.WithCancel(c.life)
	stop := context.AfterFunc(ctx, end)
	etcd, err := clientv3.New(clientv3.Config{
		Endpoints:            c.urls,
		DialTimeout:          c.o.DialTimeout,
		DialKeepAliveTime:    10 * time.Second, // the least that grpc allows
		DialKeepAliveTimeout: 5 * time.Second,
		Username:             c.o.Username,
		Password:             c.o.Password,
		Logger:               zap.NewNop(), // what matters comes back as an error
		MaxUnaryRetries:      3,
		Context:              life,
		DialOptions: []grpc.DialOption{
			grpc.WithTransportCredentials(c.sec),
			grpc.WithContextDialer(c.trail.dialer(c.o.DialTimeout)),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff: grpcbackoff.Config{
					BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second,
				},
				MinConnectTimeout: c.o.DialTimeout,
			}),
		},
	})
	if !stop() && err == nil {
		etcd.Close()
		err = ctx.Err()
	}
	if err != nil {
		end()
		return nil, err
	}
	context.AfterFunc(c.life, end) // ties end to c; life follows c.life anyway
	return etcd, nil
}
