package page

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
)

// programs is the directory of weft and manyhosts, built for these tests.
var programs string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if programs, err = os.MkdirTemp("", "weft-page-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(programs)
	// In weft's own module, whose dependencies so are none of these tests'.
	build := exec.Command("go", "build", "-ldflags=-X main.version=v1.0.0", "-o", programs+"/", "./cmd/weft", "./test/manyhosts")
	build.Dir, build.Stderr = filepath.Join("..", ".."), os.Stderr
	if err := build.Run(); err != nil {
		return 0, fmt.Errorf("build the programs: %w", err)
	}
	return m.Run(), nil
}

// machine is where a lab runs, as on a user's own.
type machine struct {
	t   *testing.T
	env []string
}

// newLab has 'weft lab up' build a lab, which ends with the test.
func newLab(t *testing.T, flags ...string) *machine {
	t.Helper()
	m := &machine{t: t, env: append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")}
	m.run(append([]string{"lab", "up"}, flags...)...)
	t.Cleanup(func() { m.run("lab", "down") })
	return m
}

// run runs weft to its end and returns what it printed.
func (m *machine) run(args ...string) string {
	m.t.Helper()
	cmd := exec.Command(programs+"/weft", args...)
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

// serve runs a program that serves a page until the test ends, and returns the
// page's address.
func serve(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stderr = env, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found, drained := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(drained)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if url := address.FindString(lines.Text()); url != "" {
				found <- url
				break
			}
		}
		close(found)
		_, _ = io.Copy(io.Discard, out) // ends with the program
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-drained
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s %v: %v", program, args, err)
		}
	})
	url := <-found
	if url == "" {
		t.Fatalf("%s %v printed no address", program, args)
	}
	return url
}
