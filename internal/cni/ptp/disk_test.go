package ptp_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// mount puts a small file system at path until the test ends.
func mount(t *testing.T, path string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(path, 0o700), unix.Mount("tmpfs", path, "tmpfs", 0, "size=64k")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(path, 0); err != nil {
			t.Error(err)
		}
	})
}

// TestFullDisk: on a disk without room for another byte containers come and
// go, since the last address that was given out is only a hint.
func TestFullDisk(t *testing.T) {
	h := newHost(t, subnet4, subnet6)
	mount(t, h.Data)
	filler, err := os.Create(filepath.Join(h.Data, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(filler, zeros{}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := filler.Close(); err != nil {
		t.Fatal(err)
	}
	h.add(t, newContainer(t, "one"))
	h.add(t, newContainer(t, "two"))
	for _, id := range []string{"one", "two"} {
		h.del(t, id)
	}
	if len(h.records(t)) > 0 || len(links(t)) > 0 {
		t.Errorf("left are %v and %v", h.records(t), links(t))
	}
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestFolderOfAnEarlierBootStays: one that cannot be removed fails no ADD.
func TestFolderOfAnEarlierBootStays(t *testing.T) {
	h := newHost(t, subnet4)
	earlier := filepath.Join(h.Data, "01234567-89ab-cdef-0123-456789abcdef")
	mount(t, filepath.Join(earlier, "busy"))
	h.add(t, newContainer(t, "one"))
}

// TestDelOnAReadOnlyDisk disconnects the container and says that its record
// stays, which GC removes later.
func TestDelOnAReadOnlyDisk(t *testing.T) {
	h := newHost(t, subnet4)
	mount(t, h.Data)
	h.add(t, newContainer(t, "one"))
	remount := func(flags uintptr) {
		t.Helper()
		if err := unix.Mount("", h.Data, "", unix.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(unix.MS_RDONLY)
	cmd := h.command("DEL", "one", "", h.config())
	var words strings.Builder
	cmd.Stderr = &words
	if err := cmd.Run(); err != nil {
		t.Errorf("DEL: %v", err)
	}
	if len(links(t)) > 0 || len(h.records(t)) != 1 || !strings.Contains(words.String(), "stay on record until the next GC") {
		t.Errorf("left are %v and %v, and it said %q", links(t), h.records(t), &words)
	}
	remount(0)
	if _, err := h.call("GC", "", "", h.config("cni.dev/valid-attachments", nil)); err != nil || len(h.records(t)) > 0 {
		t.Errorf("GC left %v, %v", h.records(t), err)
	}
}
