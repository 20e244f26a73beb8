package hostlock_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/hostlock"
)

func TestDirectoriesOfOthersAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(t *testing.T, h *hostlock.Holder)
		says    string
	}{
		{"link in its place", func(t *testing.T, h *hostlock.Holder) {
			check(t, os.Symlink(t.TempDir(), h.Directory()))
		}, "symbolic link"},
		{"file in its place", func(t *testing.T, h *hostlock.Holder) {
			check(t, os.WriteFile(h.Directory(), nil, 0o600))
		}, "must be a directory"},
		{"open to others", func(t *testing.T, h *hostlock.Holder) {
			check(t, os.Mkdir(h.Directory(), 0o700))
			check(t, os.Chmod(h.Directory(), 0o755))
		}, "chmod 700"},
		{"of another user", func(t *testing.T, h *hostlock.Holder) {
			check(t, os.Mkdir(h.Directory(), 0o700))
			h.AsUser(os.Geteuid() + 1)
		}, "belongs to user"},
		{"base can be written by others", func(t *testing.T, h *hostlock.Holder) {
			check(t, os.Chmod(filepath.Dir(h.Directory()), 0o777|os.ModeSticky))
		}, "can be written by others"},
		{"base is a link", func(t *testing.T, h *hostlock.Holder) {
			base := filepath.Dir(h.Directory())
			check(t, os.Remove(base))
			check(t, os.Symlink(t.TempDir(), base))
		}, "symbolic link"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base := filepath.Join(t.TempDir(), "base")
			check(t, os.Mkdir(base, 0o755))
			h := open(t, base, "first")
			tc.prepare(t, h)
			if err := h.Hold(t.Context(), network("10.0.0.0/8")); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %v does not say %q", err, tc.says)
			}
		})
	}
}

func TestBaseIsMade(t *testing.T) {
	base := filepath.Join(t.TempDir(), "run", "weft")
	h := open(t, base, "first")
	check(t, h.Hold(t.Context(), network("10.0.0.0/8")))
	check(t, os.RemoveAll(base)) // by an operator
	check(t, h.Hold(t.Context(), network("10.0.0.0/9")))
	if err := open(t, base, "second").Hold(t.Context(), network("10.0.0.0/8")); err == nil {
		t.Error("two agents hold one network")
	}
}

// TestDebris has files that killed agents left, and one that is not an agent's.
func TestDebris(t *testing.T) {
	base := t.TempDir()
	h := open(t, base, "first")
	check(t, os.Mkdir(h.Directory(), 0o700))
	for _, name := range []string{h.File(), h.File() + ".new", filepath.Join(h.Directory(), "agent-0011223344556677.json")} {
		check(t, os.WriteFile(name, []byte(`{"pid": 1, "networks": ["10.0.0.0/8"]}`), 0o600))
	}
	check(t, h.Hold(t.Context(), network("10.0.0.0/8")))
	expectFiles(t, h, 1)
}

func TestUnreadableFileOfALivingAgentIsNamed(t *testing.T) {
	for _, content := range []string{"", "{", `{"pid": 0}`, `{"pid": 3, "networks": ["nowhere"]}`, strings.Repeat(" ", 2<<20)} {
		h := open(t, t.TempDir(), "first")
		name := living(t, h, content)
		err := h.Hold(t.Context(), network("10.0.0.0/8"))
		if _, held := errors.AsType[*hostlock.HeldError](err); !held || !strings.Contains(err.Error(), name) {
			t.Errorf("with %.20q: %v", content, err)
		}
	}
}

// living makes the locked file of another agent, and returns its name.
func living(t *testing.T, h *hostlock.Holder, content string) string {
	t.Helper()
	check(t, os.Mkdir(h.Directory(), 0o700))
	name := filepath.Join(h.Directory(), "agent-0011223344556677.json")
	check(t, os.WriteFile(name, []byte(content), 0o600))
	f, err := os.Open(name)
	check(t, err)
	t.Cleanup(func() { _ = f.Close() })
	check(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
	return name
}

// TestStoppedProcessDoesNotHangOthers has another process keep the directory's
// lock.
func TestStoppedProcessDoesNotHangOthers(t *testing.T) {
	base := t.TempDir()
	h := open(t, base, "first")
	check(t, os.Mkdir(h.Directory(), 0o700))
	f, err := os.Open(h.Directory())
	check(t, err)
	check(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Hold(ctx, network("10.0.0.0/8")); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), h.Directory()) {
		t.Errorf("the directory is locked: %v", err)
	}
	check(t, f.Close())
	check(t, h.Hold(t.Context(), network("10.0.0.0/8")))
}

func TestNonsense(t *testing.T) {
	if _, err := hostlock.Open(t.TempDir(), hostlock.Agent{}); err == nil {
		t.Error("an agent without an id may hold")
	}
	for _, p := range []netip.Prefix{{}, netip.MustParsePrefix("::ffff:10.0.0.0/112")} {
		if err := open(t, t.TempDir(), "first").Hold(t.Context(), hostlock.Things{Networks: []netip.Prefix{p}}); err == nil {
			t.Errorf("%s was held", p)
		}
	}
	h := open(t, t.TempDir(), "../../../etc/passwd\x00")
	check(t, h.Hold(t.Context(), network("10.0.0.0/8")))
	expectFiles(t, h, 1)
}
