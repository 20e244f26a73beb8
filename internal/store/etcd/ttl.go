package etcd

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// leaseTTL is how long a lease lives unless it is renewed: flannel's 24 h.
const leaseTTL = 24 * time.Hour

// ttlID names an etcd lease, which deletes the keys attached to it when it ends; 0 is none.
// The word lease alone means a host's claim on a subnet.
type ttlID = clientv3.LeaseID

// grant makes an etcd lease. The id is chosen here, so that a repeated
// request after a lost answer does not leave a second one behind.
func (s *Store) grant(ctx context.Context, ttl time.Duration) (ttlID, error) {
	id := 1 + rand.Int64N(1<<62)
	err := s.call(ctx, "asking for a time to live", func(ctx context.Context, etcd *clientv3.Client) error {
		req := &pb.LeaseGrantRequest{ID: id, TTL: int64(ttl / time.Second)}
		_, err := pb.NewLeaseClient(etcd.ActiveConnection()).LeaseGrant(ctx, req)
		if err = rpctypes.Error(err); errors.Is(err, rpctypes.ErrLeaseExist) {
			return nil
		}
		return err
	})
	return ttlID(id), err
}

// renew gives id its full time again and returns it. The error is
// rpctypes.ErrLeaseNotFound if id is gone. (The library's KeepAliveOnce spins
// without a pause while etcd is away.)
func (s *Store) renew(ctx context.Context, id ttlID) (time.Duration, error) {
	var ttl int64
	err := s.call(ctx, "renewing a lease", func(ctx context.Context, etcd *clientv3.Client) error {
		ctx, cancel := context.WithCancel(ctx) // ends the stream
		defer cancel()
		stream, err := pb.NewLeaseClient(etcd.ActiveConnection()).LeaseKeepAlive(clientv3.WithRequireLeader(ctx))
		if err != nil {
			return rpctypes.Error(err)
		}
		if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: int64(id)}); err != nil {
			return rpctypes.Error(err)
		}
		resp, err := stream.Recv()
		if err != nil {
			return rpctypes.Error(err)
		}
		if ttl = resp.TTL; ttl <= 0 {
			return rpctypes.ErrLeaseNotFound
		}
		return nil
	})
	return time.Duration(ttl) * time.Second, err
}

// remaining returns how long id still lives, and how many keys are attached to it.
func (s *Store) remaining(ctx context.Context, id ttlID) (left time.Duration, keys int, err error) {
	err = s.call(ctx, "asking for the age of a lease", func(ctx context.Context, etcd *clientv3.Client) error {
		resp, err := etcd.TimeToLive(ctx, id, clientv3.WithAttachedKeys())
		if errors.Is(err, rpctypes.ErrPermissionDenied) { // newer etcds ask for the right to read the keys
			resp, err = etcd.TimeToLive(ctx, id)
			keys = 1 // or more
		}
		if err != nil {
			return err
		}
		if resp.TTL <= 0 {
			return rpctypes.ErrLeaseNotFound
		}
		left, keys = time.Duration(resp.TTL)*time.Second, max(keys, len(resp.Keys))
		return nil
	})
	return left, keys, err
}

// dropIfEmpty ends an etcd lease that has no key attached any more. A failure is
// only logged: the etcd lease then ends by itself.
func (s *Store) dropIfEmpty(ctx context.Context, id ttlID) {
	if id == 0 {
		return
	}
	_, keys, err := s.remaining(ctx, id)
	if err == nil && keys == 0 {
		err = s.call(ctx, "ending an unused etcd lease", func(ctx context.Context, etcd *clientv3.Client) error {
			_, err := etcd.Revoke(ctx, id)
			return err
		})
	}
	if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		s.log.Debug("an unused etcd lease was left to run out", "id", id, "err", err)
	}
}
