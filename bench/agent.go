package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// agent is a running `weft up`.
type agent struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
	err   error // how it ended; read after ended
}

// startLimit is how long an agent may take until it is ready.
const startLimit = 2 * time.Minute

// start runs the binary on w with new directories under dir, and returns when
// it says that the plan is applied, with the time that took since exec. args
// and env say where its store is.
func start(ctx context.Context, w *world, o *options, args, env []string, dir string) (*agent, time.Duration, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, err
	}
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		return nil, 0, fmt.Errorf("listen for the agent's readiness: %w", err)
	}
	defer socket.Close()
	a := &agent{log: filepath.Join(dir, "log"), ended: make(chan struct{})}
	log, err := os.Create(a.log)
	if err != nil {
		return nil, 0, err
	}
	defer log.Close() // the process has its own copy
	a.cmd = exec.Command(o.weft, append([]string{"up",
		"--state-dir", filepath.Join(dir, "state"), "--run-dir", filepath.Join(dir, "run"), "--lock-dir", filepath.Join(dir, "locks"),
		"--subnet-file", filepath.Join(dir, "subnet.env")}, args...)...)
	a.cmd.Env = append(append(plainEnv(), "NOTIFY_SOCKET="+socket.LocalAddr().String()), env...)
	a.cmd.Stdout, a.cmd.Stderr = log, log

	begin := time.Now()
	if err := socket.SetReadDeadline(begin.Add(startLimit)); err != nil {
		return nil, 0, err
	}
	if err := w.ns.Start(a.cmd); err != nil {
		return nil, 0, fmt.Errorf("start %s: %w", o.weft, err)
	}
	go func() {
		defer close(a.ended)
		a.err = a.cmd.Wait()
		_ = socket.SetReadDeadline(time.Unix(1, 0)) // nobody is going to be ready
	}()
	stop := context.AfterFunc(ctx, func() { _ = socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := a.ready(socket); err != nil {
		return nil, 0, errors.Join(err, a.stop())
	}
	return a, time.Since(begin), nil
}

// plainEnv is the environment without what would configure the agent.
func plainEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "WEFT_") && !strings.HasPrefix(kv, "FLANNELD_") {
			env = append(env, kv)
		}
	}
	return env
}

// ready reads from socket until systemd would be told READY=1.
func (a *agent) ready(socket *net.UnixConn) error {
	buf := make([]byte, 4096)
	for {
		k, err := socket.Read(buf)
		if err != nil {
			text, _ := os.ReadFile(a.log)
			return fmt.Errorf("the agent did not become ready: %w; its log ends:\n%s", err, text[max(0, len(text)-4000):])
		}
		for line := range strings.Lines(string(buf[:k])) {
			if strings.TrimSpace(line) == "READY=1" {
				return nil
			}
		}
	}
}

func (a *agent) pid() int { return a.cmd.Process.Pid }

// stop ends the agent and waits for it.
func (a *agent) stop() error {
	if err := a.cmd.Process.Signal(unix.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	late := time.AfterFunc(10*time.Second, func() { _ = a.cmd.Process.Kill() })
	defer late.Stop()
	<-a.ended
	return a.err
}

// cpu is the user and system time of all the agent's threads so far, those
// that have ended included: the process's CPU clock (clock_getcpuclockid(3)),
// which counts nanoseconds where /proc/PID/stat counts ticks of 10 ms.
func (a *agent) cpu() (time.Duration, error) { return cpuOf(a.pid()) }

func cpuOf(pid int) (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED of linux/posix-timers.h
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &t); err != nil {
		return 0, fmt.Errorf("read the agent's CPU clock: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// memory is in bytes.
type memory struct{ resident, anonymous, peak int64 }

func (a *agent) memory() (memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.pid()))
	if err != nil {
		return memory{}, err
	}
	var m memory
	fields := map[string]*int64{"VmRSS:": &m.resident, "RssAnon:": &m.anonymous, "VmHWM:": &m.peak}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, "\t")
		if to := fields[name]; to != nil {
			if _, err := fmt.Sscanf(rest, "%d kB", to); err != nil {
				return m, fmt.Errorf("%q: %w", line, err)
			}
			*to *= 1024
		}
	}
	return m, nil
}
