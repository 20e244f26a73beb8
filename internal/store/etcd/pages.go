package etcd

import (
	"context"
	"errors"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/weft-net/weft/internal/backoff"
)

// pageSize is how many keys are read at once, so that the answers about a
// large network never stand in memory as a whole.
const pageSize = 1000

// part is a span of keys to read, and where its keys go, one by one and in
// order.
type part struct {
	span
	take func(*mvccpb.KeyValue)
}

// read reads parts at one revision: the first page of each in one round trip,
// and each further page in another one. If the revision is compacted away
// meanwhile it begins anew, with what begin returns.
func (s *Store) read(ctx context.Context, what string, begin func() []part) (*pb.ResponseHeader, error) {
	for pause := backoff.UntilWon(); ; {
		var header *pb.ResponseHeader
		err := s.permitted(ctx, func() (err error) {
			header, err = s.readOnce(ctx, what, s.parts(s.allowed(), begin()))
			return err
		})
		if !errors.Is(err, rpctypes.ErrCompacted) {
			return header, err
		}
		if err := pause.Wait(ctx); err != nil {
			return nil, err
		}
	}
}

func (s *Store) readOnce(ctx context.Context, what string, parts []part) (*pb.ResponseHeader, error) {
	var first *clientv3.TxnResponse
	ops := make([]clientv3.Op, 0, len(parts))
	for _, p := range parts {
		ops = append(ops, p.page(p.first))
	}
	err := s.call(ctx, what, func(ctx context.Context, etcd *clientv3.Client) (err error) {
		first, err = etcd.Txn(ctx).Then(ops...).Commit()
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, p := range parts {
		page := first.Responses[i].GetResponseRange()
		first.Responses[i] = nil // or it would stay until the last part is read
		if err := s.readRest(ctx, what, p, page, first.Header.Revision); err != nil {
			return nil, err
		}
	}
	return first.Header, nil
}

// readRest hands on page, the first of p, and reads the others.
func (s *Store) readRest(ctx context.Context, what string, p part, page *pb.RangeResponse, rev int64) error {
	for {
		for _, kv := range page.Kvs {
			p.take(kv)
		}
		if !page.More || len(page.Kvs) == 0 {
			return nil
		}
		next := p.page(string(page.Kvs[len(page.Kvs)-1].Key)+"\x00", clientv3.WithRev(rev))
		err := s.call(ctx, what, func(ctx context.Context, etcd *clientv3.Client) error {
			resp, err := etcd.Do(ctx, next)
			if err == nil {
				page = (*pb.RangeResponse)(resp.Get())
			}
			return err
		})
		if err != nil {
			return err
		}
	}
}

func (p part) page(from string, opts ...clientv3.OpOption) clientv3.Op {
	opts = append(opts, clientv3.WithRange(p.end), clientv3.WithLimit(pageSize))
	return clientv3.OpGet(from, opts...)
}
