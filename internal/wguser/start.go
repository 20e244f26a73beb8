package wguser

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Command names weft's command that calls Run.
const Command = "wireguard"

// SocketFlag and ReadyFlag are flags of the command: the control socket, and the number of
// the file descriptor to which "ready" or an error is written.
const (
	SocketFlag = "--socket"
	ReadyFlag  = "--ready-fd"
)

// patience is how long a process may take until its socket answers.
const patience = 20 * time.Second

// self is the running program, also if its file was replaced meanwhile.
const self = "/proc/self/exe"

// Start starts the process for a device in the calling thread's network namespace, in a
// session of its own, and returns when its socket answers. What it has to say goes
// to a log beside the socket. It is this very program: nothing else is executed.
func Start(name, socket string) error {
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return fmt.Errorf("start the process of device %s: %w", name, err)
	}
	log, err := os.OpenFile(strings.TrimSuffix(socket, ".sock")+".log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start the process of device %s: %w", name, err)
	}
	defer func() { _ = log.Close() }() // the process has its own copy
	told, tell, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start the process of device %s: %w", name, err)
	}
	defer func() { _ = told.Close() }() // read only
	cmd := exec.Command(self, Command, name, SocketFlag, socket, ReadyFlag, "3")
	cmd.Args[0] = "weft"
	cmd.Dir = "/"
	cmd.Env = []string{} // no setting of the agent's is the process's
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{tell}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = tell.Close() // the process has its own copy
	if err != nil {
		return fmt.Errorf("start the process of device %s: %w", name, err)
	}
	go reap(cmd)
	return await(told, name, log.Name())
}

// reap takes note of the process's end, if it comes before the agent's: else it would
// stay in the table of processes. Its device's news tell of it.
func reap(cmd *exec.Cmd) { _ = cmd.Wait() }

// await reads what the process says of its start.
func await(told *os.File, name, log string) error {
	_ = told.SetReadDeadline(time.Now().Add(patience)) // a pipe has one
	line, err := bufio.NewReader(told).ReadString('\n')
	switch line = strings.TrimSpace(line); {
	case line == readyWord:
		return nil
	case line != "":
		return errors.New(line)
	case errors.Is(err, io.EOF):
		err = errors.New("it has ended")
	}
	return fmt.Errorf("start the process of device %s: %w; see %s", name, err, log)
}

// readyWord is what the process says when its socket answers.
const readyWord = "ready"

// Main is the process: it calls Run, and says on the file descriptor ready, if that is not
// negative, when the socket answers, or why it does not.
func Main(ctx context.Context, name, socket string, ready int) error {
	var tell *os.File
	if ready >= 0 {
		tell = os.NewFile(uintptr(ready), "ready")
	}
	say := func(text string) {
		if tell != nil {
			_, _ = fmt.Fprintln(tell, strings.ReplaceAll(text, "\n", "; ")) // who started the process may be gone
			_ = tell.Close()
			tell = nil
		}
	}
	err := Run(ctx, name, socket, func() { say(readyWord) })
	if err != nil {
		say(err.Error())
	}
	return err
}
