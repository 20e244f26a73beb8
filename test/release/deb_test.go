package release

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/lab"
)

// TestDeb installs the .deb on a clean machine, upgrades it while pods ping each other, and removes it.
func TestDeb(t *testing.T) {
	m, peer, endpoints := startNetwork(t)
	network, files := m.network(), m.files()

	m.give("former.deb", made(t, once, "weft_*.deb"))
	m.give("newer.deb", made(t, next, "weft_*.deb"))
	said := m.run("dpkg", "--install", "/former.deb")
	if !strings.Contains(said, "installed and not started") || len(m.host.Pods()) > 0 || m.agentPID() != "" {
		t.Errorf("a new installation must start nothing, and say so:\n%s", said)
	}
	m.set("WEFT_ETCD_ENDPOINTS=" + endpoints)
	m.run("systemctl", "enable", "--now", "weft")
	m.expect("weft "+former, "weft", "version")

	from, to := addPod(t, peer, "p2"), addPod(t, m.host, "p1")
	addr, _ := to.Addr(false)
	await(t, from, addr)
	pings, err := from.StartPinger(addr, 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	was := m.agentPID()
	m.run("dpkg", "--install", "/newer.deb")
	tally := pings.Stop()
	if err := tally.Err(); err != nil {
		t.Errorf("while the package was upgraded: %v", err)
	}
	t.Logf("%d of %d pings answered during the upgrade", tally.Received, tally.Sent)
	m.expect("weft "+newer, "weft", "version")
	if is := m.agentPID(); is == was || is == "" {
		t.Errorf("the agent is process %q, before the upgrade it was %q", is, was)
	}
	m.expect("WEFT_ETCD_ENDPOINTS", "grep", "^WEFT_", "/etc/weft/weft.env") // the file that an operator changed stays
	m.expect("600 ", "stat", "--format=%a %n", "/etc/weft/weft.env")

	m.outside("sh", "-c", "ip -o link show type veth master cni0 | sed 's/^[0-9]*: \\([^:@]*\\).*/\\1/' | xargs -n1 ip link del; ip link del cni0")
	// An agent that systemd does not know cannot be stopped: the package stays, and with it what could clean.
	m.run("mv", "/run/systemd/system", "/run/systemd/elsewhere")
	if out, err := m.try("chroot", m.root, "dpkg", "--remove", "weft"); err == nil || !strings.Contains(out, "an agent is running") {
		t.Errorf("the package was removed under a running agent: %v\n%s", err, out)
	}
	m.run("mv", "/run/systemd/elsewhere", "/run/systemd/system")
	m.expect("weft "+newer, "weft", "version")
	m.run("dpkg", "--remove", "weft")
	m.expect("identity.json", "ls", "/var/lib/weft")
	m.expect("WEFT_ETCD_ENDPOINTS", "grep", "^WEFT_", "/etc/weft/weft.env")
	difference(t, "network", network, m.network())
	m.run("dpkg", "--purge", "weft")
	m.run("rm", "/former.deb", "/newer.deb")
	difference(t, "files", files, m.files())
	if left := m.outside("sh", "-c", "ls "+m.root+"/var/lib/dpkg/info/ | grep weft || true"); left != "" {
		t.Errorf("dpkg has records left: %s", left)
	}
}

// TestUnitIsValid lets systemd judge the package's unit, with the program where the package was unpacked.
func TestUnitIsValid(t *testing.T) {
	root := t.TempDir()
	deb := made(t, once, "weft_*.deb")
	if out, err := exec.Command("dpkg-deb", "--extract", deb, root).CombinedOutput(); err != nil {
		t.Fatalf("unpack the package: %v\n%s", err, out)
	}
	unit := filepath.Join(root, "usr", "lib", "systemd", "system", "weft.service")
	text := strings.Replace(string(read(t, unit)), "ExecStart=/usr/bin/weft up\n", "ExecStart="+root+"/usr/bin/weft up\n", 1)
	if !strings.Contains(text, root) {
		t.Fatalf("the unit does not start /usr/bin/weft:\n%s", text)
	}
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	if err != nil || strings.Contains(string(out), "weft") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	manual, err := filepath.Glob(filepath.Join(root, "usr", "share", "man", "man1", "weft*.1.gz"))
	if err != nil || len(manual) < 20 {
		t.Errorf("the package has %d manual pages: %v", len(manual), err)
	}
}

// startNetwork makes a network of a store, a host with an agent of the lab, and a clean machine, and returns the
// store's address, too.
func startNetwork(t *testing.T) (m *machine, peer *lab.Host, endpoints string) {
	t.Helper()
	l, err := lab.New(lab.Demo(), lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	host := func(name string) *lab.Host {
		h, err := l.Host(name)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if _, err := host(lab.StoreHost).StartEtcd(t.Context(), lab.EtcdBuiltIn); err != nil {
		t.Fatal(err)
	}
	peer = host("h2")
	if out, err := peer.Run(t.Context(), "weft", "config", "set", `{"Network": "172.7.0.0/16", "Backend": {"Type": "vxlan"}}`); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := peer.StartAgent(t.Context()); err != nil {
		t.Fatal(err)
	}
	m = startMachine(t, host("h1"))
	if err := os.Symlink(filepath.Join(m.root, "run", "flannel", "subnet.env"), m.host.SubnetFile()); err != nil {
		t.Fatal(err)
	}
	return m, peer, l.Endpoints()
}

func addPod(t *testing.T, h *lab.Host, name string) *lab.Pod {
	t.Helper()
	p, err := h.AddPod(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// await pings until there is an answer: the peer learns of a new host from the store.
func await(t *testing.T, from *lab.Pod, to netip.Addr) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stepLimit)
	defer cancel()
	for {
		tally, err := from.Ping(ctx, to, 1)
		switch {
		case err != nil:
			t.Fatalf("%s is not reached: %v", to, err)
		case tally.Err() == nil:
			return
		}
	}
}

// give copies a file to the machine's root directory.
func (m *machine) give(name, file string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.root, name), read(m.t, file), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// set removes the comment sign of a variable in weft.env and gives it a value, as an operator does.
func (m *machine) set(assignment string) {
	m.t.Helper()
	file := filepath.Join(m.root, "etc", "weft", "weft.env")
	text := string(read(m.t, file))
	name, _, _ := strings.Cut(assignment, "=")
	if strings.Count(text, "#"+name+"=\n") != 1 {
		m.t.Fatalf("weft.env has no line #%s=", name)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(text, "#"+name+"=", assignment, 1)), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// expect runs a program that must print something that begins with want.
func (m *machine) expect(want string, args ...string) {
	m.t.Helper()
	if out := m.run(args...); !strings.HasPrefix(out, want) {
		m.t.Errorf("%v prints %q, want %q", args, out, want)
	}
}

// agentPID is the number of the agent that the unit started, "" if there was none.
func (m *machine) agentPID() string {
	pid, err := os.ReadFile(filepath.Join(m.root, "run", "systemctl-weft.pid"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(pid))
}

// difference reports the lines that two lists do not share.
func difference(t *testing.T, what, before, after string) {
	t.Helper()
	lines := func(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }
	a, b := lines(before), lines(after)
	for _, line := range a {
		if !slices.Contains(b, line) {
			t.Errorf("%s: was there before the package and is gone: %s", what, line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			t.Errorf("%s: is there after the removal and was not before: %s", what, line)
		}
	}
	if len(a) < 10 {
		t.Errorf("%s: only %d lines were seen", what, len(a))
	}
}
