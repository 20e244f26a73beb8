package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Process is a long-running program on a host. The lab waits for it.
type Process struct {
	Name string // names its log
	Log  string // path of the file that takes both its streams

	cmd  *exec.Cmd
	done chan struct{}
	err  error // set before done is closed
}

// Start starts a program that keeps running on the host. Its output is added to the log NAME.log in
// the host's directory. extraEnv ("KEY=value") is added to the host's environment.
func (h *Host) Start(name string, args []string, extraEnv ...string) (*Process, error) {
	cmd := h.Command(context.Background(), args...)
	cmd.Env = append(cmd.Env, extraEnv...)
	return h.Launch(name, cmd)
}

// Launch starts cmd as Start does.
func (h *Host) Launch(name string, cmd *exec.Cmd) (*Process, error) {
	path := filepath.Join(h.dir, name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("%s: open the log of %s: %w", h.Name, name, err)
	}
	defer log.Close() // the process has its own copy
	cmd.Stdout, cmd.Stderr = log, log
	p := &Process{Name: name, Log: path, cmd: cmd, done: make(chan struct{})}
	if err := h.StartCommand(cmd); err != nil {
		return nil, fmt.Errorf("%s: start %s: %w", h.Name, name, err)
	}
	h.lab.mu.Lock()
	h.lab.processes = append(h.lab.processes, p)
	h.lab.mu.Unlock()
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running tells whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ended says how the process ended. Call it only when it has.
func (p *Process) ended() error {
	if p.err != nil {
		return p.err
	}
	return errors.New("exit status 0")
}

// Stop asks the process to end with SIGTERM, kills it when ctx ends first, and returns how it ended.
func (p *Process) Stop(ctx context.Context) error {
	_ = p.cmd.Process.Signal(unix.SIGTERM) // it may have ended already
	select {
	case <-p.done:
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("%s did not end on SIGTERM and was killed: %w\n%s", p.Name, ctx.Err(), p.Tail(20))
	}
	if p.err != nil {
		return fmt.Errorf("%s, stopped with SIGTERM, ended with: %w\n%s", p.Name, p.err, p.Tail(20))
	}
	return nil
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// Tail returns the last n lines of the process's log.
func (p *Process) Tail(n int) string { return tail(p.Log, n) }

func tail(path string, n int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
