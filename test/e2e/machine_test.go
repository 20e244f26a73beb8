package e2e

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/store/etcdtest"
)

// machine is a host of the lab that looks like a machine to a guide's commands: programs, units and
// files are at their usual paths, and what the commands write there stays on the machine.
type machine struct {
	*lab.Host
	pid int // of the process that keeps the machine's namespaces
}

// guideTopology is three hosts on one segment, and a fourth behind a router.
func guideTopology() lab.Topology {
	prefix := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	host := func(name, segment, addr string) lab.HostSpec {
		return lab.HostSpec{Name: name, Segment: segment, Addrs: []netip.Addr{netip.MustParseAddr(addr)}}
	}
	return lab.Topology{
		Router:   "router",
		Segments: []lab.Segment{{Name: "a", Prefixes: prefix("10.4.7.0/24")}, {Name: "b", Prefixes: prefix("10.4.8.0/24")}},
		Hosts: []lab.HostSpec{
			host("h12", "a", "10.4.7.12"), host("h21", "a", "10.4.7.21"), host("h22", "a", "10.4.7.22"),
			host("h24", "b", "10.4.8.24"),
		},
	}
}

// startMachine makes a machine of a host; tls is where certificates are. It ends with the lab.
func startMachine(t *testing.T, h *lab.Host, tls string) *machine {
	t.Helper()
	programs := filepath.Join(h.Dir(), "bin")
	if _, err := lab.WriteDockerd(programs); err != nil {
		t.Fatal(err)
	}
	weft, err := exec.LookPath("weft")
	if err != nil {
		t.Fatal(err)
	}
	// The first process of the machine waits for the others' orphans as init does.
	cmd := h.Command(context.Background(), "sh", "-c", "sleep infinity & while :; do wait; done")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	if err := h.StartCommand(cmd); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // and with it everything on the machine
		<-ended
	})
	m := &machine{Host: h, pid: cmd.Process.Pid}
	repository, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(repository, "test", "e2e", "guide", "machine.sh")
	if out, err := m.run(t.Context(), "sh", script, repository, programs, weft, tls); err != nil {
		t.Fatalf("make %s a machine: %v\n%s", h.Name, err, out)
	}
	return m
}

// run runs a program on the machine and returns what it printed.
func (m *machine) run(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := m.Command(ctx, append([]string{"nsenter", "--target", strconv.Itoa(m.pid), "--mount", "--pid"}, args...)...)
	cmd.Env = []string{"HOME=/run/home", "LC_ALL=C.UTF-8", "TMPDIR=/tmp",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stdout, cmd.Stderr = &out, &out
	err := m.StartCommand(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	return out.String(), err
}

// issueCertificates writes what etcd and its clients on all of the lab's machines need into a
// directory of the lab's, which it returns.
func issueCertificates(t *testing.T, l *lab.Lab) string {
	t.Helper()
	dir := filepath.Join(l.Dir(), "tls")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ca, err := etcdtest.NewCA(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	var addrs []net.IP
	for _, name := range l.HostNames() {
		h, err := l.Host(name)
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, h.Addrs[0].Addr().AsSlice())
	}
	if _, _, err := ca.Issue("client", addrs...); err != nil {
		t.Fatal(err)
	}
	return dir
}
