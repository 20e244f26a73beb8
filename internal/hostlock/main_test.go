package hostlock_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/weft-net/weft/internal/hostlock"
	"github.com/weft-net/weft/internal/netns"
)

// childVariable makes this program an agent that holds a network until its
// input ends: "BASE ID NETWORK".
const childVariable = "WEFT_TEST_HOSTLOCK"

func TestMain(m *testing.M) {
	if args := os.Getenv(childVariable); args != "" && !netns.Marked() {
		os.Exit(child(strings.Fields(args)))
	}
	os.Exit(netns.Main(m.Run))
}

func child(args []string) int {
	h, err := hostlock.Open(args[0], hostlock.Agent{ID: args[1], StateDir: "/var/lib/" + args[1]})
	if err == nil {
		err = h.Hold(context.Background(), network(args[2]))
	}
	if err != nil {
		fmt.Println("refused:", err)
		return 0
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// process is another agent.
type process struct {
	*exec.Cmd
	out *bufio.Reader
	in  io.WriteCloser
}

func start(t *testing.T, base, id, network string) *process {
	t.Helper()
	return startIn(t, 0, base, id, network)
}

// startIn starts it in new namespaces of the kinds of clone(2)'s flags.
func startIn(t *testing.T, namespaces uintptr, base, id, network string) *process {
	t.Helper()
	program, err := os.Executable()
	check(t, err)
	p := &process{Cmd: exec.Command(program)}
	p.Env = append(os.Environ(), childVariable+"="+strings.Join([]string{base, id, network}, " "))
	p.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	p.in, err = p.StdinPipe()
	check(t, err)
	out, err := p.StdoutPipe()
	check(t, err)
	p.out = bufio.NewReader(out)
	check(t, p.Start())
	t.Cleanup(func() {
		_ = p.in.Close()
		_ = p.Wait()
	})
	return p
}

// said waits until the process says what came of it.
func (p *process) said(t *testing.T) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	check(t, err)
	return strings.TrimSpace(line)
}

func open(t *testing.T, base, id string) *hostlock.Holder {
	t.Helper()
	h, err := hostlock.Open(base, hostlock.Agent{ID: id, StateDir: "/var/lib/" + id})
	check(t, err)
	t.Cleanup(func() { check(t, h.Close()) })
	return h
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func network(list ...string) (t hostlock.Things) {
	for _, n := range list {
		t.Networks = append(t.Networks, netip.MustParsePrefix(n))
	}
	return t
}
