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
