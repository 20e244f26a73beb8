package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/net/netutil"
)

// SocketName is the name of the agent's socket within its run directory.
const SocketName = "weft.sock"

// maxSocketPath is how long the path of a unix socket may be, in bytes
// (sun_path in unix(7), less the final zero).
const maxSocketPath = 107

// RunningError says that another agent serves the socket already.
type RunningError struct{ Socket string }

// Error names the socket.
func (e *RunningError) Error() string {
	return fmt.Sprintf("another agent runs here: it holds %s.lock", e.Socket)
}

// Hint says how to run several agents on one host.
func (e *RunningError) Hint() string {
	return "see it with 'weft status'; give a second agent its own --run-dir and --state-dir"
}

// Listen opens the agent's unix socket, for its owner alone (mode 0600). The
// socket of a stopped agent is replaced; that of a running one is a
// *RunningError. A lock on a file beside the socket tells whether the other agent
// is running, so that of two that start at once only one gets the socket.
func Listen(socket string) (net.Listener, error) {
	if len(socket) > maxSocketPath {
		return nil, fmt.Errorf("listen on %s: the path has %d bytes and a socket's may have %d at most; choose a shorter --run-dir",
			socket, len(socket), maxSocketPath)
	}
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		return nil, fmt.Errorf("make the run directory: %w", err)
	}
	lock, err := takeLock(socket)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("remove the socket of an earlier agent: %w", err), lock.Close())
	}
	ln, err := (&net.ListenConfig{Control: ownerOnly}).Listen(context.Background(), "unix", socket)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the agent's socket: %w", err), lock.Close())
	}
	return &lockedListener{Listener: ln, lock: lock}, nil
}

// takeLock locks the file beside the socket. The lock ends with the process,
// however that ends.
func takeLock(socket string) (*os.File, error) {
	lock, err := os.OpenFile(socket+".lock", os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the run directory's lock: %w", err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(&RunningError{Socket: socket}, lock.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", lock.Name(), err), lock.Close())
	}
	return lock, nil
}

// ownerOnly sets the mode before the socket has a name, so that there is no
// moment in which others could connect.
func ownerOnly(_, _ string, conn syscall.RawConn) error {
	var mode error
	err := conn.Control(func(fd uintptr) { mode = syscall.Fchmod(int(fd), 0o600) })
	return errors.Join(err, mode)
}

// lockedListener releases the lock when the socket is closed.
type lockedListener struct {
	net.Listener
	lock *os.File
	once sync.Once
	err  error
}

func (l *lockedListener) Close() error {
	l.once.Do(func() { l.err = errors.Join(l.Listener.Close(), l.lock.Close()) })
	return l.err
}

// maxHealthClients is how many connections the health server has at a time.
// Without a limit, anybody on the network could use up the file descriptors
// that the agent needs for its work.
const maxHealthClients = 128

// ListenHealth opens the TCP port of the health server.
func ListenHealth(addr netip.AddrPort) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("open the health port: %w; choose another with --healthz-ip and --healthz-port", err)
	}
	return netutil.LimitListener(ln, maxHealthClients), nil
}
