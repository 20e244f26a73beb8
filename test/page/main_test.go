package page

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/weft-net/weft/internal/cli"
)

// TestMain makes this program weft where it is called so: the lab runs its own
// binary on each host.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "weft" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop)
		os.Exit(cli.Main(ctx, cli.System("v1.0.0")))
	}
	os.Exit(m.Run())
}

// machine is where a lab runs, as on a user's own.
type machine struct {
	t   *testing.T
	bin string
	env []string
}

// newLab has 'weft lab up' build a lab, which ends with the test.
func newLab(t *testing.T, flags ...string) *machine {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	m := &machine{t: t, bin: filepath.Join(dir, "weft"), env: append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")}
	if err := os.Symlink(self, m.bin); err != nil {
		t.Fatal(err)
	}
	m.run(append([]string{"lab", "up"}, flags...)...)
	t.Cleanup(func() { m.run("lab", "down") })
	return m
}

// run runs weft to its end and returns what it printed.
func (m *machine) run(args ...string) string {
	m.t.Helper()
	cmd := exec.Command(m.bin, args...)
	cmd.Env = m.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("weft %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// on runs a program on a host of the lab.
func (m *machine) on(host string, args ...string) string {
	m.t.Helper()
	return m.run(append([]string{"lab", "exec", host, "--"}, args...)...)
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+/#token=\w+`)

// serve runs a command that serves a page until the test ends, and returns the
// page's address.
func (m *machine) serve(args ...string) string {
	m.t.Helper()
	cmd := exec.Command(m.bin, args...)
	cmd.Env, cmd.Stderr = m.env, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			m.t.Errorf("weft %v: %v", args, err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if found := address.FindString(lines.Text()); found != "" {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the command
			return found
		}
	}
	m.t.Fatalf("weft %v printed no address", args)
	return ""
}
