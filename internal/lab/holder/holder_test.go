package holder_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/lab/holder"
	"github.com/weft-net/weft/internal/netns"
)

func TestMain(m *testing.M) {
	os.Exit(netns.Main(func() int {
		code := m.Run()
		if err := goleak.Find(); code == 0 && err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return code
	}))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hold serves a lab of two hosts and returns where, and what ends when Serve has.
func hold(t *testing.T) (holder.Place, <-chan error) {
	t.Helper()
	place, err := holder.Find(t.TempDir())
	check(t, err)
	topology := lab.Demo()
	topology.Hosts = topology.Hosts[:2]
	l, err := lab.New(topology, lab.Options{})
	check(t, err)
	t.Cleanup(func() { check(t, l.Close()) })
	server, err := holder.Listen(place.Socket(), l, slog.New(slog.DiscardHandler))
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		ended <- server.Serve(ctx)
	}()
	t.Cleanup(func() { cancel(); <-stopped })
	return place, ended
}

// start runs a program in the lab and returns its output to read, and its end.
func start(t *testing.T, place holder.Place, signals <-chan os.Signal, node string, args ...string) (output *os.File, end <-chan result) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	check(t, err)
	read, write, err := os.Pipe()
	check(t, err)
	t.Cleanup(func() { check(t, errors.Join(null.Close(), read.Close())) })
	done := make(chan result, 1)
	go func() {
		code, err := place.Exec(holder.Program{
			Node: node, Args: args, Env: append(os.Environ(), "COLOUR=green"), Dir: "/usr",
			Stdio: [3]*os.File{null, write, write},
		}, signals)
		_ = write.Close()
		done <- result{code, err}
	}()
	return read, done
}

type result struct {
	code int
	err  error
}

func TestExecGivesOutputAndExitCode(t *testing.T) {
	place, _ := hold(t)
	output, end := start(t, place, nil, "h2", "sh", "-c", "hostname; pwd; echo $COLOUR; exit 7")
	text, err := io.ReadAll(output)
	check(t, err)
	if r := <-end; r.err != nil || r.code != 7 || string(text) != "h2\n/usr\ngreen\n" {
		t.Errorf("code %d, %v, output %q; want 7 and h2, /usr, green", r.code, r.err, text)
	}
}

func TestExecHandsSignalsOn(t *testing.T) {
	place, _ := hold(t)
	signals := make(chan os.Signal, 1)
	output, end := start(t, place, signals, "h1", "sh", "-c", "trap 'exit 5' USR1; echo ready; while :; do sleep 0.1; done")
	_, err := output.Read(make([]byte, 16))
	check(t, err)
	signals <- unix.SIGUSR1
	if r := <-end; r.err != nil || r.code != 5 {
		t.Errorf("code %d, %v; want 5 from the program's trap", r.code, r.err)
	}
}

func TestExecTellsOfAKilledProgram(t *testing.T) {
	place, _ := hold(t)
	_, end := start(t, place, nil, "h1", "sh", "-c", "kill -9 $$")
	if r := <-end; r.err != nil || r.code != 128+9 {
		t.Errorf("code %d, %v; want 137", r.code, r.err)
	}
}

func TestExecRefusesWhatIsNotThere(t *testing.T) {
	place, _ := hold(t)
	for want, args := range map[string][]string{
		"no host or pod \"h9\"": {"h9", "true"},
		"no-such-program":       {"h1", "no-such-program"},
	} {
		_, end := start(t, place, nil, args[0], args[1:]...)
		if r := <-end; r.err == nil || !strings.Contains(r.err.Error(), want) {
			t.Errorf("%v: error %v; want one with %q", args, r.err, want)
		}
	}
}

func TestDownEndsProgramsAndTheServer(t *testing.T) {
	place, ended := hold(t)
	output, end := start(t, place, nil, "h1", "sh", "-c", "echo ready; sleep 1000")
	_, err := output.Read(make([]byte, 16))
	check(t, err)
	check(t, place.Down())
	check(t, <-ended)
	if r := <-end; r.err == nil && r.code != 128+9 {
		t.Errorf("code %d, %v; want an end by force", r.code, r.err)
	}
	if err := place.Down(); !errors.Is(err, holder.ErrNotRunning) {
		t.Errorf("a second Down returned %v, want ErrNotRunning", err)
	}
}

func TestStatusListsHosts(t *testing.T) {
	place, _ := hold(t)
	status, err := place.Status()
	check(t, err)
	if len(status.Hosts) != 2 || status.Hosts[0].Name != "h1" || status.Hosts[0].Agent != "none" || len(status.Hosts[0].Addrs) != 2 {
		t.Errorf("got %+v; want h1 and h2 with two addresses each and no agent", status)
	}
}

func TestOneLabAtATime(t *testing.T) {
	place, err := holder.Find(t.TempDir())
	check(t, err)
	lock, err := place.Lock()
	check(t, err)
	if _, err := place.Lock(); !errors.Is(err, holder.ErrRunning) {
		t.Errorf("a second Lock returned %v, want ErrRunning", err)
	}
	check(t, lock.Close())
	check(t, place.AwaitEnd())
	lock, err = place.Lock()
	check(t, err)
	check(t, lock.Close())
}

func TestOpenDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	check(t, os.Mkdir(filepath.Join(dir, "weft-lab"), 0o755))
	if _, err := holder.Find(dir); err == nil || !strings.Contains(err.Error(), "only you") {
		t.Errorf("error %v; want a refusal of a directory that others can enter", err)
	}
}
