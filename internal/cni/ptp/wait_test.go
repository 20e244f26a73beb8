package ptp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/cni/ipam"
)

// watch returns a function that waits until a file is opened again.
func watch(t *testing.T, path string) (opened func()) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if _, err := unix.Read(fd, make([]byte, 4<<10)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSIGTERMEndsAWait: a call that waits for a container's lock ends with an
// error that names the lock and its holder.
func TestSIGTERMEndsAWait(t *testing.T) {
	h := newHost(t, subnet4)
	store, err := ipam.Open(t.Context(), h.Data)
	if err != nil {
		t.Fatal(err)
	}
	release, err := store.Hold(t.Context(), ipam.Owner{ContainerID: "one", IfName: "eth0"})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	c, opened := newContainer(t, "one"), watch(t, filepath.Join(h.Data, "lock"))
	for _, what := range []string{"ADD", "DEL"} {
		cmd := h.command(what, c.id, c.path(), h.config())
		var out strings.Builder
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		opened()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		exit, ok := errors.AsType[*exec.ExitError](cmd.Wait())
		var refusal types.Error
		if !ok || exit.ExitCode() != 1 || json.Unmarshal([]byte(out.String()), &refusal) != nil {
			t.Fatalf("%s: %v, and it printed %q", what, exit, out.String())
		}
		for _, want := range []string{filepath.Join(h.Data, "lock"), fmt.Sprintf("process %d (", os.Getpid()), "terminated"} {
			if refusal.Code != types.ErrTryAgainLater || !strings.Contains(refusal.Msg, want) {
				t.Errorf("%s: code %d, %s; want %q", what, refusal.Code, refusal.Msg, want)
			}
		}
	}
}

// TestAddWaitsForTheSubnet of a host whose agent starts at the same time.
func TestAddWaitsForTheSubnet(t *testing.T) {
	h := newHost(t, subnet4)
	for name, tc := range map[string]struct {
		then func(pid int) error
		code uint
		says string
	}{
		"the agent comes": {func(int) error { h.lease(t, subnet4); return nil }, 0, ""},
		"it does not":     {func(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }, types.ErrTryAgainLater, "is the weft agent running here?"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.Remove(h.Subnet); err != nil {
				t.Fatal(err)
			}
			c := newContainer(t, "one")
			cmd := h.command("ADD", c.id, c.path(), h.config())
			var out strings.Builder
			cmd.Stdout = &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waits(t, cmd.Process.Pid)
			if err := tc.then(cmd.Process.Pid); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait() // the answer says it
			var answer types.Error
			if err := json.Unmarshal([]byte(out.String()), &answer); err != nil || answer.Code != tc.code || !strings.Contains(answer.Msg, tc.says) {
				t.Errorf("ADD answered %s, %v", &out, err)
			}
			h.del(t, "one")
			h.lease(t, subnet4)
		})
	}
}

// waits returns when a call waits for the subnet file, which shows in what it
// has open.
func waits(t *testing.T, pid int) {
	t.Helper()
	for t.Context().Err() == nil {
		paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
		if err != nil || len(paths) == 0 {
			t.Fatalf("the call has ended, %v", err)
		}
		for _, path := range paths {
			if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), "inotify wd:") {
				return
			}
		}
		_ = unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil) // /proc tells of no change
	}
}
