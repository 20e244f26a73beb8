package etcd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errCompacted means that the history to watch from is gone.
var errCompacted = errors.New("the history since the last event was compacted away")

// watcher handles what comes over a watch. Its methods run one at a time and
// must not block. An error from either ends the watch.
type watcher interface {
	// ready: from here on no change is missed. The header shows where etcd is.
	ready(*pb.ResponseHeader) error
	// batch: all changes of one or more whole revisions, in order. It is empty
	// when etcd only says how far it is.
	batch(*pb.WatchResponse) error
}

// watch follows the changes in spans since revision from (included) and
// returns when the stream breaks, or ctx ends, or w refuses. It uses etcd's
// protocol directly because the library's watcher reconnects in silence,
// while followers want to know of an outage.
func (c *client) watch(ctx context.Context, from int64, w watcher, spans ...span) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	slow := time.AfterFunc(c.o.RequestTimeout, cancel)
	defer slow.Stop()

	etcd, err := c.ready(ctx)
	if err != nil {
		return err
	}
	token, _ := c.login.current()
	defer func() {
		// etcd 3.4 says "permission denied" to a watch with an old token.
		if refusedToken(err) || errors.Is(err, rpctypes.ErrPermissionDenied) {
			c.login.forget(token)
		}
	}()
	stream, err := pb.NewWatchClient(etcd.ActiveConnection()).Watch(
		clientv3.WithRequireLeader(ctx), grpc.MaxCallRecvMsgSize(math.MaxInt32))
	if err != nil {
		return rpctypes.Error(err)
	}
	for i, s := range spans {
		if err := stream.Send(createRequest(int64(i+1), s, from)); err != nil {
			break // the reason comes with Recv
		}
	}
	for missing := len(spans); ; {
		resp, err := stream.Recv()
		if err == nil {
			err = refused(resp)
		}
		switch {
		case err != nil && missing > 0 && !slow.Stop():
			return context.DeadlineExceeded
		case err != nil:
			return rpctypes.Error(err)
		case resp.Created:
			if missing--; missing == 0 && slow.Stop() {
				err = w.ready(resp.Header)
			}
		default:
			err = w.batch(resp)
		}
		if err != nil {
			return err
		}
	}
}

func createRequest(id int64, s span, from int64) *pb.WatchRequest {
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{
		Key:            []byte(s.first),
		RangeEnd:       []byte(s.end),
		StartRevision:  from,
		ProgressNotify: true, // so that a quiet network does not resume from a compacted past
		WatchId:        id,
	}}}
}

// refused returns why etcd ended a watch, if that is what resp says.
func refused(resp *pb.WatchResponse) error {
	switch {
	case resp.CompactRevision != 0:
		return errCompacted
	case resp.Canceled:
		return fmt.Errorf("the watch was refused: %w", rpctypes.Error(status.Error(codes.Unavailable, resp.CancelReason)))
	}
	return nil
}
