package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// startReady starts a program on the host that tells of its readiness as systemd's services do: a
// datagram with the line READY=1 to the socket that NOTIFY_SOCKET names. It returns when the
// program is ready; if it ends or ctx ends first, the error holds the end of its log.
func (h *Host) startReady(ctx context.Context, name string, args []string) (*Process, error) {
	return h.LaunchReady(ctx, name, h.Command(context.Background(), args...))
}

// LaunchReady starts cmd as startReady does.
func (h *Host) LaunchReady(ctx context.Context, name string, cmd *exec.Cmd) (*Process, error) {
	path := h.nextNotifyPath()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("%s: listen for the readiness of %s: %w", h.Name, name, err)
	}
	ready := make(chan error, 1)
	go func() { ready <- awaitReady(socket) }()
	defer func() {
		_ = socket.Close() // nothing to flush
		_ = os.Remove(path)
	}()
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+path)
	process, err := h.Launch(name, cmd)
	if err != nil {
		_ = socket.Close() // ends awaitReady
		<-ready
		return nil, err
	}
	select {
	case err = <-ready:
		if err != nil {
			process.Kill()
			return nil, fmt.Errorf("%s: wait for %s: %w", h.Name, name, err)
		}
		return process, nil
	case <-process.Done():
		err = fmt.Errorf("%s: %s ended (%w) before it was ready; its log ends with:\n%s", h.Name, name, process.ended(), process.Tail(20))
	case <-ctx.Done():
		process.Kill()
		err = fmt.Errorf("%s: %s was not ready in time (%w); its log ends with:\n%s", h.Name, name, ctx.Err(), process.Tail(20))
	}
	_ = socket.Close()
	<-ready
	return nil, err
}

func awaitReady(socket *net.UnixConn) error {
	buffer := make([]byte, 4096)
	for {
		n, err := socket.Read(buffer)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(buffer[:n])) {
			if strings.TrimSpace(line) == "READY=1" {
				return nil
			}
		}
	}
}

// nextNotifyPath gives each start its own socket, so that a late process cannot report for another.
func (h *Host) nextNotifyPath() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notifies++
	return filepath.Join(h.dir, fmt.Sprintf("ready%d", h.notifies))
}
