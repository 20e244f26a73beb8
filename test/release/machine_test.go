package release

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/lab"
)

// machine is a host of the lab with a clean Debian root of its own.
type machine struct {
	t    *testing.T
	host *lab.Host
	root string
	pid  int // of the process that keeps its namespaces
}

// stepLimit is how long a command may take on a busy machine.
const stepLimit = 2 * time.Minute

// startMachine makes the root, and a process that keeps the machine's mounts and waits for orphans as init does.
func startMachine(t *testing.T, h *lab.Host) *machine {
	t.Helper()
	m := &machine{t: t, host: h, root: filepath.Join(h.Dir(), "root")}
	cmd := h.Command(context.Background(), "sh", "-c", "sleep infinity & while :; do wait; done")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	keeper, err := h.Launch("keeper", cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keeper.Kill)
	m.pid = keeper.PID()
	script, err := filepath.Abs("root.sh")
	if err != nil {
		t.Fatal(err)
	}
	m.outside("sh", script, m.root)
	m.outside("sh", "-euc", `
		mount -t proc proc "$0/proc"
		mount --rbind /dev "$0/dev"
		mount --rbind /sys "$0/sys"
		mkdir -p "$0/run/systemd/system"
		cp ../e2e/guide/systemctl "$0/usr/bin/systemctl"`, m.root)
	return m
}

// outside runs a program of this computer with the machine's mounts and processes.
func (m *machine) outside(args ...string) string {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s\n%s", strings.Join(args, " "), err, out, m.log())
	}
	return out
}

func (m *machine) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), stepLimit)
	defer cancel()
	var out bytes.Buffer
	cmd := m.host.Command(ctx, append([]string{"nsenter", "--target", strconv.Itoa(m.pid), "--mount", "--pid", "--wd=."}, args...)...)
	cmd.Env = []string{"HOME=/root", "LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stdout, cmd.Stderr = &out, &out
	err := m.host.StartCommand(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	return out.String(), err
}

// run runs a program of the machine.
func (m *machine) run(args ...string) string {
	m.t.Helper()
	return m.outside(append([]string{"chroot", m.root}, args...)...)
}

// log is what the agent wrote.
func (m *machine) log() string {
	text, err := os.ReadFile(filepath.Join(m.root, "var", "log", "weft.log"))
	if err != nil {
		return "no log of the agent: " + err.Error()
	}
	return string(text)
}

// network is the state of the host's network, an object a line.
func (m *machine) network() string {
	m.t.Helper()
	return m.outside("sh", "../hosts/state.sh")
}

// files lists the machine's files with their modes and kinds, without dpkg's records, the logs, and what stands in for systemd.
func (m *machine) files() string {
	m.t.Helper()
	return m.outside("find", m.root, "-xdev", "-not", "-path", m.root+"/var/lib/dpkg/*", "-not", "-path", m.root+"/var/log/*",
		"-not", "-path", m.root+"/run/systemctl-*", "-printf", "%P %m %Y\n")
}
