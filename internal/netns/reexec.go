package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// markVariable tells the inner process that it is one. Its value is the network namespace of the
// outer process, so that a variable left over in some shell is found out instead of believed.
const markVariable = "_WEFT_OUTER_NETNS"

const selfNetns = "/proc/self/ns/net"

// forwarded are the signals that Reexec forwards to the inner process.
var forwarded = []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2}

// Reexec runs this program once more in new user, network and mount namespaces, with args as its
// arguments (args[0] included) and extraEnv ("KEY=value") added to the environment, and waits for
// it. The inner process is uid 0 there, which is the caller's own uid outside, so files keep their
// owner. It returns the inner process's exit code, 128 plus the signal's number if a signal ended it.
//
// The inner process must call Enter before it touches the network. It is killed if this process
// dies. It is in a process group of its own, so that Ctrl-C reaches it once and through this process
// alone; therefore it cannot read from a terminal.
// Where user namespaces are forbidden, root gets network and mount namespaces without one; others
// get an error that names the kernel setting to change.
func Reexec(args []string, extraEnv ...string) (int, error) {
	outer, err := os.Readlink(selfNetns)
	if err != nil {
		return 0, fmt.Errorf("read this process's network namespace: %w", err)
	}
	env := append(os.Environ(), extraEnv...)
	env = append(env, markVariable+"="+outer)

	// The kernel sends the parent-death signal when the starting thread ends, not the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	defer signal.Stop(signals)

	cmd, err := startInner(args, env)
	if err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	forwarder := make(chan struct{})
	go func() {
		defer close(forwarder)
		forward(signals, cmd.Process, ended)
	}()
	err = cmd.Wait()
	close(ended)
	<-forwarder
	return exitCode(cmd, err)
}

// startInner starts the inner process, for root without a user namespace if it must.
func startInner(args, env []string) (*exec.Cmd, error) {
	cmd := innerCommand(args, env)
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	err := cmd.Start()
	if err == nil {
		return cmd, nil
	}
	if os.Geteuid() != 0 {
		return nil, explainForbidden(err)
	}
	cmd = innerCommand(args, env)
	if plainErr := cmd.Start(); plainErr != nil {
		return nil, explainForbidden(errors.Join(err, plainErr))
	}
	return cmd, nil
}

func innerCommand(args, env []string) *exec.Cmd {
	return &exec.Cmd{
		Path:   "/proc/self/exe",
		Args:   args,
		Env:    env,
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS,
			Pdeathsig:  unix.SIGKILL,
			Setpgid:    true,
		},
	}
}

func forward(signals <-chan os.Signal, to *os.Process, ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case s := <-signals:
			// The process may just have ended; then there is nobody left to tell.
			_ = to.Signal(s)
		}
	}
}

func exitCode(cmd *exec.Cmd, err error) (int, error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("wait for the process in its own namespaces: %w", err)
	}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}
