package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	streamChunk    = 8 << 10 // bytes
	streamInterval = 5 * time.Millisecond
	streamDrain    = 5 * time.Second // for what is under way when a stream is stopped
)

// Stream is a TCP connection on which data flows steadily in one direction until it is stopped.
type Stream struct {
	client   *net.TCPConn
	server   net.Conn
	stop     chan struct{}
	once     sync.Once
	finished sync.WaitGroup
	result   StreamTally
	sendErr  error
	readErr  error
}

// StreamTally is what came of a stream.
type StreamTally struct {
	Sent     int64 // bytes
	Received int64 // bytes
	Err      error // a reset or a time-out; nil if all that was sent arrived
}

// StartStream connects from the node to another, at one of that one's addresses, and starts to send.
func (n *Node) StartStream(ctx context.Context, to *Node, addr netip.Addr) (*Stream, error) {
	return n.StartStreamVia(ctx, to, netip.AddrPortFrom(addr, 0), netip.AddrPort{})
}

// StartStreamVia is StartStream to a port of the other one's address that clients reach at the
// address of a service; the zero service is none.
func (n *Node) StartStreamVia(ctx context.Context, to *Node, at, service netip.AddrPort) (*Stream, error) {
	var listener net.Listener
	err := to.Do(func() (err error) {
		listener, err = net.Listen("tcp", at.String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: listen for a stream on %s: %w", to.Name, at, err)
	}
	defer listener.Close() // one connection is all it is for
	dial := listener.Addr().String()
	if service.IsValid() {
		dial = service.String()
	}
	var client net.Conn
	err = n.Do(func() (err error) {
		client, err = (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", dial)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: open a stream to %s: %w", n.Name, dial, err)
	}
	server, err := listener.Accept()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: accept the stream: %w", to.Name, err), client.Close())
	}
	s := &Stream{client: client.(*net.TCPConn), server: server, stop: make(chan struct{})}
	s.finished.Go(s.send)
	s.finished.Go(s.receive)
	return s, nil
}

// SeenFrom is where the connection comes from in the eyes of the one that it goes to.
func (s *Stream) SeenFrom() netip.Addr {
	return s.server.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
}

func (s *Stream) send() {
	ticker := time.NewTicker(paced(streamInterval))
	defer ticker.Stop()
	chunk := make([]byte, streamChunk)
	for {
		n, err := s.client.Write(chunk)
		s.result.Sent += int64(n)
		if err != nil {
			s.sendErr = err
			return
		}
		select {
		case <-s.stop:
			s.sendErr = s.client.CloseWrite()
			return
		case <-ticker.C:
		}
	}
}

func (s *Stream) receive() {
	s.result.Received, s.readErr = io.Copy(io.Discard, s.server)
}

// Stop ends the stream, lets what is under way arrive, and returns the outcome. A second call
// returns the same.
func (s *Stream) Stop() StreamTally {
	s.once.Do(func() {
		close(s.stop)
		end := time.Now().Add(streamDrain)
		errs := []error{s.client.SetDeadline(end), s.server.SetDeadline(end)}
		s.finished.Wait()
		errs = append(errs, s.sendErr, s.readErr, s.client.Close(), s.server.Close())
		s.result.Err = errors.Join(errs...)
		if s.result.Err == nil && s.result.Sent != s.result.Received {
			s.result.Err = fmt.Errorf("%d bytes were sent, %d arrived", s.result.Sent, s.result.Received)
		}
	})
	return s.result
}

// Reset tells whether the connection was reset by one of its ends or by something between.
func (t StreamTally) Reset() bool { return errors.Is(t.Err, unix.ECONNRESET) }
