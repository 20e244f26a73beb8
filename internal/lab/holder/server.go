package holder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/lab"
)

// Server serves one lab on one socket.
type Server struct {
	lab      *lab.Lab
	log      *slog.Logger
	listener *net.UnixListener
	down     chan struct{} // closed when a client asked for the end
	downOnce sync.Once
	conns    sync.WaitGroup
}

// Listen opens the socket at path for l. The caller must have the place's lock, so a socket that is
// there already is a dead one and is replaced.
func Listen(path string, l *lab.Lab, log *slog.Logger) (*Server, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove an old lab's socket: %w", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen for lab commands: %w", err)
	}
	return &Server{lab: l, log: log, listener: listener, down: make(chan struct{})}, nil
}

// Serve answers requests until ctx ends or a client asks for the end. Programs that still run then
// are killed. It closes the socket, and leaves the lab to the caller.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	accepting := make(chan error, 1)
	go func() { accepting <- s.accept(ctx) }()
	select {
	case <-ctx.Done():
	case <-s.down:
	}
	cancel()
	err := s.listener.Close()
	s.conns.Wait()
	if acceptErr := <-accepting; !errors.Is(acceptErr, net.ErrClosed) {
		err = errors.Join(err, acceptErr)
	}
	return err
}

func (s *Server) accept(ctx context.Context) error {
	for {
		conn, err := s.listener.AcceptUnix()
		if err != nil {
			return err
		}
		s.conns.Go(func() { s.converse(ctx, conn) })
	}
}

// converse serves one connection to its end.
func (s *Server) converse(ctx context.Context, conn *net.UnixConn) {
	defer conn.Close() // whatever there was to say is said
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseRead() })
	defer stop()
	var r request
	files, err := receive(conn, &r)
	defer closeAll(files)
	answer := reply{}
	var lent []*os.File
	switch {
	case err == nil && r.Verb == verbDial:
		lent, err = s.dial(ctx, r.Node)
		defer closeAll(lent)
	case err == nil:
		answer, err = s.answer(ctx, conn, r, files)
	}
	if err != nil {
		answer = reply{Error: err.Error()}
	}
	if err := send(conn, answer, lent...); err != nil {
		s.log.Debug("a client left before its answer", "verb", r.Verb, "error", err)
	}
}

func (s *Server) answer(ctx context.Context, conn *net.UnixConn, r request, files []*os.File) (reply, error) {
	switch r.Verb {
	case verbStatus:
		return reply{Status: statusOf(s.lab)}, nil
	case verbDown:
		s.downOnce.Do(func() { close(s.down) })
		return reply{}, nil
	case verbCut, verbMend:
		return reply{}, s.lab.SetCut(r.Node, r.Verb == verbCut)
	case verbUnsum:
		host, err := s.lab.Host(r.Node)
		if err != nil {
			return reply{}, err
		}
		return reply{}, s.lab.BreakChecksums(host)
	case verbExec:
		code, err := s.exec(ctx, conn, r, files)
		return reply{Exit: code}, err
	default:
		return reply{}, fmt.Errorf("the lab does not know the request %q: it was started by another version of weft", r.Verb)
	}
}

// dial connects to the agent of a host.
func (s *Server) dial(ctx context.Context, name string) ([]*os.File, error) {
	host, err := s.lab.Host(name)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", filepath.Join(host.RunDir(), api.SocketName))
	if err != nil {
		return nil, fmt.Errorf("no agent answers on %s: %w", name, err)
	}
	defer conn.Close() // the client gets a copy
	file, err := conn.(*net.UnixConn).File()
	if err != nil {
		return nil, fmt.Errorf("hand a connection to the agent of %s on: %w", name, err)
	}
	return []*os.File{file}, nil
}

// exec runs a program with the client's standard streams until it ends, the client leaves or ctx
// ends, and returns its exit code.
func (s *Server) exec(ctx context.Context, conn *net.UnixConn, r request, files []*os.File) (int, error) {
	if len(files) != stdioCount || len(r.Args) == 0 {
		return 0, fmt.Errorf("a program needs a name and %d files, not %d", stdioCount, len(files))
	}
	node, host, err := s.lab.Find(r.Node)
	if err != nil {
		return 0, err
	}
	cmd := host.Command(ctx, r.Args...)
	cmd.Env, cmd.Dir = host.Env(r.Env), r.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[1], files[2]
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // signals go to all that the program starts
	if err := node.StartCommand(cmd); err != nil {
		return 0, fmt.Errorf("start %s on %s: %w", r.Args[0], r.Node, err)
	}
	var relay sync.WaitGroup
	ended := make(chan struct{})
	relay.Go(func() { relaySignals(conn, cmd.Process.Pid, ended) })
	err = cmd.Wait()
	close(ended)
	_ = conn.CloseRead() // ends relaySignals
	relay.Wait()
	return exitCode(cmd, err)
}

// relaySignals hands the client's signals on to the program's process group until the program has
// ended; a client that leaves before takes its program with it. What the program left in the
// background stays.
func relaySignals(conn io.Reader, group int, ended <-chan struct{}) {
	decoder := json.NewDecoder(conn)
	for {
		r := request{Verb: verbSignal, Signal: int(unix.SIGKILL)}
		err := decoder.Decode(&r)
		select {
		case <-ended:
			return
		default:
		}
		if r.Verb == verbSignal {
			_ = unix.Kill(-group, unix.Signal(r.Signal)) // the group may have ended just now
		}
		if err != nil {
			return
		}
	}
}

func exitCode(cmd *exec.Cmd, err error) (int, error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("wait for %s: %w", cmd.Args[0], err)
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // the program has its own copies
	}
}
