package etcd

import (
	"net"
	"sync"
)

// lines are the open connections of a client.
type lines struct {
	mu   sync.Mutex
	open map[*line]bool
}

func newLines() *lines { return &lines{open: map[*line]bool{}} }

// line is a connection that its lines know of while it is open.
type line struct {
	net.Conn
	of *lines
}

func (l *lines) add(conn net.Conn) net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := &line{Conn: conn, of: l}
	l.open[one] = true
	return one
}

// Close implements net.Conn.
func (one *line) Close() error {
	one.of.mu.Lock()
	delete(one.of.open, one)
	one.of.mu.Unlock()
	return one.Conn.Close()
}

// cut closes all connections; grpc makes new ones.
func (l *lines) cut() {
	l.mu.Lock()
	var all []net.Conn
	for one := range l.open {
		all = append(all, one.Conn)
	}
	l.mu.Unlock()
	for _, conn := range all {
		_ = conn.Close() // whoever reads from it learns of it
	}
}
