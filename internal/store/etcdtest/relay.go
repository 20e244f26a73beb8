package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// Relay passes requests on to an etcd and counts them. It can end watches as
// soon as they are made, as a server or a proxy may that does not carry them.
type Relay struct {
	listen net.Listener
	server *grpc.Server
	etcd   *grpc.ClientConn
	done   chan struct{}

	requests sync.WaitGroup // of what clients send

	mu       sync.Mutex
	counts   map[string]int
	endAfter int
	before   func(method string)
}

// NewRelay listens on a free port of the loopback and passes requests on to the
// etcd at target, which is host:port.
func NewRelay(target string) (*Relay, error) {
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(bytesCodec{}), grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	r := &Relay{listen: l, etcd: conn, counts: map[string]int{}, done: make(chan struct{})}
	r.server = grpc.NewServer(grpc.ForceServerCodecV2(bytesCodec{}), grpc.UnknownServiceHandler(r.handle))
	go func() {
		defer close(r.done)
		_ = r.server.Serve(l) // ends with Close
	}()
	return r, nil
}

// Addr is host:port.
func (r *Relay) Addr() string { return r.listen.Addr().String() }

// EndWatches makes the relay end each stream of watches from now on once so
// many watches on it are made; 0: none.
func (r *Relay) EndWatches(after int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endAfter = after
}

// Before makes the relay call fn before it passes a request on.
func (r *Relay) Before(fn func(method string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = fn
}

// Count returns how many requests came so far for a method: "Txn", "Watch".
func (r *Relay) Count(method string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[method]
}

// Close ends the relay and waits for it.
func (r *Relay) Close() error {
	r.server.Stop()
	<-r.done
	r.requests.Wait()
	return r.etcd.Close()
}

// note counts a request and returns after how many watches to end it, 0: never.
func (r *Relay) note(method string) int {
	r.mu.Lock()
	r.counts[method]++
	before, endAfter := r.before, r.endAfter
	r.mu.Unlock()
	if before != nil {
		before(method)
	}
	if method != "Watch" {
		return 0
	}
	return endAfter
}

func (r *Relay) handle(_ any, in grpc.ServerStream) error {
	full, _ := grpc.MethodFromServerStream(in)
	endAfter := r.note(full[strings.LastIndex(full, "/")+1:])
	ctx, cancel := context.WithCancel(in.Context())
	defer cancel()
	out, err := r.etcd.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, full)
	if err != nil {
		return err
	}
	r.requests.Go(func() { forward(in, out) })
	for made := 0; endAfter == 0 || made < endAfter; {
		var msg []byte
		if err := out.RecvMsg(&msg); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if endAfter > 0 && isCreated(msg) {
			made++
		}
		if err := in.SendMsg(&msg); err != nil {
			return err
		}
	}
	return nil
}

// forward passes on what the client sends until the stream ends.
func forward(in grpc.ServerStream, out grpc.ClientStream) {
	for {
		var msg []byte
		if err := in.RecvMsg(&msg); err != nil {
			_ = out.CloseSend() // never fails
			return
		}
		if err := out.SendMsg(&msg); err != nil {
			return // the reason comes with RecvMsg
		}
	}
}

func isCreated(msg []byte) bool {
	var resp pb.WatchResponse
	return proto.Unmarshal(msg, &resp) == nil && resp.Created
}

// bytesCodec leaves messages as they are.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("relay: cannot pass on a %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*b)}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("relay: cannot pass on a %T", v)
	}
	*b = data.Materialize()
	return nil
}

var _ encoding.CodecV2 = bytesCodec{}
