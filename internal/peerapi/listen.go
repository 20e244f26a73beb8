package peerapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lease"
	"github.com/weft-net/weft/internal/plan"
)

// maxClients is how many connections there are at a time.
const maxClients = 32

// listen opens a TCP port on an address that the kernel may not have yet, for
// clients whose address permits it.
func listen(ctx context.Context, at netip.AddrPort, permits func(netip.Addr) bool) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(fd uintptr) { failed = freebind(int(fd), at.Addr().Is6()) })
		return errors.Join(err, failed)
	}}
	config.SetMultipathTCP(false) // whose further connections would not be seen here
	ln, err := config.Listen(ctx, "tcp", at.String())
	if err != nil {
		return nil, err
	}
	return netutil.LimitListener(&choosy{ln, permits}, maxClients), nil
}

// freebind permits an address that no device has: a tunnel device may come after
// the socket, and come anew.
func freebind(fd int, v6 bool) error {
	if v6 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_FREEBIND, 1)
}

// choosy is a listener that resets the connections of whom it does not permit,
// before a byte is read.
type choosy struct {
	net.Listener
	permits func(netip.Addr) bool
}

// Accept waits for a client that is permitted.
func (l *choosy) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := conn.(*net.TCPConn)
		if from, err := netip.ParseAddrPort(conn.RemoteAddr().String()); ok && err == nil && l.permits(from.Addr().Unmap()) {
			return conn, nil
		}
		if ok {
			_ = tcp.SetLinger(0) // no state is kept for strangers
		}
		_ = conn.Close()
	}
}

// serve answers on ln until ctx ends or the returned function is called, which
// waits for the end.
func serve(ctx context.Context, ln net.Listener, h http.Handler) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = api.Serve(ctx, ln, h) // a listener fails only when it is closed
	}()
	return func() {
		cancel()
		<-done
	}
}

// IsHost reports whether a is the overlay address of a host that has a lease
// beside in.Self: the first address of the lease's first subnet.
func IsHost(in *plan.Input, a netip.Addr) bool {
	for bits := a.BitLen(); bits > 0; bits-- {
		subnet := netip.PrefixFrom(a, bits)
		if subnet.Masked() != subnet {
			return false
		}
		for l := range in.Peers.From(lease.At([]netip.Prefix{subnet})) {
			if l.Subnets[0] == subnet {
				return in.Foreign(&l) && !l.Vacant()
			}
			break
		}
	}
	return false
}
