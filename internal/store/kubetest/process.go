package kubetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is a running program of the control plane.
type process struct {
	name, log string
	cmd       *exec.Cmd
	exited    chan struct{} // closed when it has exited
}

// run starts a program and appends its output to the file log.
func run(launch func(*exec.Cmd) error, program, log string, args []string) (*process, error) {
	name := filepath.Base(program)
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer out.Close() // the program has its own copy
	p := &process{name: name, log: log, cmd: exec.Command(program, args...), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	started := make(chan error)
	go func() {
		defer close(p.exited)
		runtime.LockOSThread() // until the program has exited: see launchHere
		err := launch(p.cmd)
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // the reason is in its log
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// launchHere starts cmd on this machine; the kernel kills it when this thread
// ends. Go ends threads whose namespaces were changed, so the calling goroutine
// must keep its thread for as long as cmd should run.
func launchHere(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.Start()
}

// kill kills the program and waits until it has exited.
func (p *process) kill() error {
	err := p.signal(syscall.SIGKILL)
	if err == nil {
		<-p.exited
	}
	return err
}

// signal sends s to the program, if it is still running.
func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to %s, process %d: %w", s, p.name, p.cmd.Process.Pid, err)
	}
	return nil
}

// awaitStop returns when SIGSTOP has stopped all threads of the program.
func (p *process) awaitStop() error {
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("waitid", err)
		}
	}
}

// tail is the end of the program's log, for error messages.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
