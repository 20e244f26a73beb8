package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// syscalls is how many system calls the agent makes for one new lease.
type syscalls struct {
	All  float64 // of all its threads, to etcd, kernel and files
	Work float64 // without those by which Go's runtime puts threads to sleep and wakes them
}

// idling are the calls of Go's scheduler, of which there are more the slower
// everything is, and it is slow under strace.
var idling = map[string]bool{
	"futex": true, "epoll_pwait": true, "epoll_wait": true, "nanosleep": true,
	"sched_yield": true, "tgkill": true, "rt_sigreturn": true, "getpid": true,
	"rt_sigprocmask": true, "madvise": true, "restart_syscall": true,
}

// counted runs work under strace and returns the number of calls a piece; nil
// if there is no strace.
func counted(ctx context.Context, a *agent, pieces int, work func() error) (*syscalls, error) {
	path, err := exec.LookPath("strace")
	if err != nil {
		return nil, work()
	}
	var table bytes.Buffer
	cmd := exec.CommandContext(ctx, path, "-f", "-c", "-U", "calls,name", "-p", strconv.Itoa(a.pid()))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start strace: %w", err)
	}
	lines := bufio.NewReader(stderr)
	first, err := lines.ReadString('\n')
	if err != nil || !strings.Contains(first, "attached") {
		return nil, errors.Join(fmt.Errorf("strace says %q", first), err, cmd.Wait())
	}
	rest := make(chan error, 1)
	go func() {
		_, err := io.Copy(&table, lines)
		rest <- err
	}()
	err = work()
	// strace detaches and prints its table when it is interrupted.
	err = errors.Join(err, cmd.Process.Signal(unix.SIGINT), <-rest)
	_ = cmd.Wait() // it ends by the signal
	if err != nil {
		return nil, err
	}
	return tally(table.String(), pieces)
}

// tally sums up strace's table of "calls name".
func tally(table string, pieces int) (*syscalls, error) {
	var s syscalls
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) != 2 || fields[1] == "total" {
			continue
		}
		calls, err := strconv.Atoi(fields[0])
		if err != nil {
			continue // a heading
		}
		s.All += float64(calls)
		if !idling[fields[1]] {
			s.Work += float64(calls)
		}
	}
	if s.All == 0 {
		return nil, fmt.Errorf("strace counted nothing: %s", table)
	}
	s.All /= float64(pieces)
	s.Work /= float64(pieces)
	return &s, nil
}
