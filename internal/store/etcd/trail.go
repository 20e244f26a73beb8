package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// trail keeps the reason why the last attempt to connect to each address failed. grpc
// itself tells the caller only that time ran out.
type trail struct {
	mu      sync.Mutex
	last    map[string]error
	refused map[string]int // the number of the last attempt that was refused
	count   int            // of attempts that were refused
	news    chan struct{}  // closed when another is
}

func newTrail() *trail {
	return &trail{last: map[string]error{}, refused: map[string]int{}, news: make(chan struct{})}
}

func (t *trail) failed(addr string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last[addr] = err
	if errors.Is(err, syscall.ECONNREFUSED) {
		t.count++
		t.refused[addr] = t.count
		close(t.news)
		t.news = make(chan struct{})
	}
}

// The state of an address until an attempt to connect ends.
var (
	errDialing = errors.New("no connection yet")
	errSilent  = errors.New("connected, but no response")
)

// trying notes how far an attempt is, unless it is known why the one before
// failed.
func (t *trail) trying(addr string, state error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := t.last[addr]; last == nil || last == errDialing {
		t.last[addr] = state
	}
}

func (t *trail) connected(addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.last, addr)
}

// cause joins the failures, in a stable order and in stable words, so that
// the same trouble always reads the same; n is their number.
func (t *trail) cause() (why string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var parts []string
	for _, addr := range slices.Sorted(maps.Keys(t.last)) {
		parts = append(parts, fmt.Sprintf("%s (%s)", addr, plain(t.last[addr])))
	}
	return strings.Join(parts, ", "), len(parts)
}

// mark is the present, for awaitRefusals.
func (t *trail) mark() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// awaitRefusals waits until n addresses have answered after mark that nobody
// listens there. It returns false when ctx ends.
func (t *trail) awaitRefusals(ctx context.Context, mark, n int) bool {
	for {
		refused, news := t.refusedAfter(mark)
		if refused >= n {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-news:
		}
	}
}

func (t *trail) refusedAfter(mark int) (n int, news <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, at := range t.refused {
		if at > mark {
			n++
		}
	}
	return n, t.news
}

// plain drops what changes from one attempt to the next (ephemeral ports) and
// what the address before it already says.
func plain(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the server closed the connection at once (does it speak TLS, and this host not, or the other way round?)"
	}
	return strings.TrimPrefix(err.Error(), "connect: ")
}

// dialer connects for grpc, notes failures, and adds what it opens to open.
func (t *trail) dialer(timeout time.Duration, open *lines) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		network, where := "tcp", addr
		if rest, ok := strings.CutPrefix(addr, "unix:"); ok {
			network, where = "unix", strings.TrimPrefix(rest, "//")
		}
		t.trying(addr, errDialing)
		conn, err := (&net.Dialer{}).DialContext(ctx, network, where)
		if err != nil {
			t.failed(addr, err)
			return nil, err
		}
		t.trying(addr, errSilent)
		return named{Conn: open.add(conn), addr: remote(addr)}, nil
	}
}

// named is a connection whose remote address reads as it was asked for, so
// that a failed dial and a failed handshake have one entry.
type named struct {
	net.Conn
	addr remote
}

func (n named) RemoteAddr() net.Addr { return n.addr }

type remote string

func (r remote) Network() string { return "tcp" }
func (r remote) String() string  { return string(r) }

// greeted is a connection that has not worked before the server said
// something: a TLS server refuses a client's certificate only after the
// client's side of the handshake is over.
type greeted struct {
	net.Conn
	trail *trail
	addr  string
	heard atomic.Bool
}

func (g *greeted) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if g.heard.Load() {
		return n, err
	}
	if n > 0 {
		g.heard.Store(true)
		g.trail.connected(g.addr)
	} else if err != nil && !errors.Is(err, net.ErrClosed) {
		g.trail.failed(g.addr, err)
	}
	return n, err
}
