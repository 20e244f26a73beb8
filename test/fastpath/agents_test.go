package fastpath

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/cli"
	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/plugins"
	"github.com/weft-net/weft/test/absence"
	"github.com/weft-net/weft/test/programs"
	"github.com/weft-net/weft/test/twohosts"
)

// What this process is, by its environment: "weft" is weft or its CNI plugin.
const role = "FASTPATH_TEST_ROLE"

// pluginDir has the folder of the CNI plugins, which may have to be built where there is a network.
const pluginDir = "FASTPATH_TEST_PLUGINS"

func TestMain(m *testing.M) {
	if os.Getenv(role) == "weft" {
		weft()
	}
	if os.Getenv(pluginDir) == "" && os.Geteuid() == 0 {
		dir, err := programs.CNI.Dir(context.Background())
		if err == nil {
			err = os.Setenv(pluginDir, dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(twohosts.Main(m.Run))
}

func weft() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if cni.Called(os.Args, os.Getenv) {
		os.Exit(plugins.Main(ctx))
	}
	os.Exit(cli.Main(ctx, cli.System("fastpath")))
}

// world is two hosts on a wire, and a namespace for a pod of each.
const world = `
set -e
mount -t tmpfs tmpfs /run
mount -t bpf bpf /sys/fs/bpf
mkdir /run/netns
for n in 1 2; do ip netns add h$n; ip netns add p$n; ip -n h$n link set lo up; done
ip link add up0 netns h1 type veth peer name up0 netns h2
for n in 1 2; do
	ip -n h$n addr add 10.4.0.$n/24 dev up0
	ip -n h$n link set up0 up
	ip -n h$n route add default via 10.4.0.254
done
`

const endpoint = "http://10.4.0.1:2379"

// machine runs commands in network namespaces of world.
type machine struct {
	*testing.T
	dir  string
	self string // this program, which is weft as well
}

func (m *machine) command(ns string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + ns}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// start starts a command that ends with the test, or when stop is called.
func (m *machine) start(ns string, env []string, args ...string) (stop func(os.Signal)) {
	m.Helper()
	var out bytes.Buffer
	cmd := m.command(ns, env, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	ended := false
	stop = func(s os.Signal) {
		if ended {
			return
		}
		ended = true
		_ = cmd.Process.Signal(s)
		_ = cmd.Wait()
		if m.Failed() {
			m.Logf("%v said\n%s", args, out.String())
		}
	}
	m.Cleanup(func() { stop(unix.SIGKILL) })
	return stop
}

// weft runs a command of weft's on a host.
func (m *machine) weft(n int, args ...string) string {
	m.Helper()
	out, err := m.command(host(n), []string{role + "=weft"}, append([]string{m.self}, args...)...).CombinedOutput()
	if err != nil {
		m.Fatalf("weft %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func host(n int) string { return fmt.Sprintf("h%d", n) }

// dirs are the flags that tell the agents of the two hosts apart.
func (m *machine) dirs(n int) []string {
	dir := filepath.Join(m.dir, host(n))
	return []string{"--run-dir", dir + "/run", "--state-dir", dir + "/state", "--subnet-file", m.subnetFile(n)}
}

func (m *machine) subnetFile(n int) string { return filepath.Join(m.dir, host(n), "subnet.env") }

func (m *machine) agent(n int) (stop func(os.Signal)) {
	m.Helper()
	// The rights of a container with weft.fastPath of the chart.
	rights := []string{"setpriv", "--bounding-set", "-all,+net_admin,+net_raw,+bpf,+perfmon", "--inh-caps", "-all"}
	args := append(append(rights, m.self, "up", "--etcd-endpoints", endpoint, "--lock-dir", filepath.Join(m.dir, host(n), "locks")), m.dirs(n)...)
	return m.start(host(n), []string{role + "=weft"}, args...)
}

// cni calls the plugin of type weft for the pod of a host.
func (m *machine) cni(n int, verb string) (addr string) {
	m.Helper()
	return m.call(n, verb, fmt.Sprintf(`{"cniVersion":"1.0.0","name":"weft","type":"weft","subnetFile":%q,"dataDir":%q}`,
		m.subnetFile(n), filepath.Join(m.dir, host(n), "cni")))
}

// call calls weft as a CNI plugin for the pod of a host.
func (m *machine) call(n int, verb, conf string) (addr string) {
	m.Helper()
	env := []string{
		role + "=weft", "CNI_COMMAND=" + verb, "CNI_CONTAINERID=c", "CNI_NETNS=/run/netns/p" + fmt.Sprint(n), "CNI_IFNAME=eth0", "CNI_PATH=" + os.Getenv(pluginDir),
	}
	cmd := m.command(host(n), env, m.self)
	cmd.Stdin = strings.NewReader(conf)
	out, err := cmd.Output()
	if err != nil {
		m.Fatalf("CNI %s: %v\n%s", verb, err, out)
	}
	var result struct{ IPs []struct{ Address string } }
	if verb == "ADD" {
		if err := json.Unmarshal(out, &result); err != nil || len(result.IPs) != 1 {
			m.Fatalf("CNI %s: %v\n%s", verb, err, out)
		}
		addr, _, _ = strings.Cut(result.IPs[0].Address, "/")
	}
	return addr
}

// status is what the test wants of a status document.
type status struct {
	Ready    bool
	FastPath *struct {
		Mode string
		Fast uint64
		Slow map[string]uint64
	}
	Generation, Converged uint64
}

func (m *machine) status(n int) (s status) {
	m.Helper()
	if err := json.Unmarshal([]byte(m.weft(n, "status", "-o", "json", "--run-dir", filepath.Join(m.dir, host(n), "run"))), &s); err != nil {
		m.Fatal(err)
	}
	return s
}

// until asks again and again until it is so.
func (m *machine) until(what string, so func() bool) {
	m.Helper()
	for end := time.Now().Add(60 * time.Second); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			m.Fatalf("after a minute: not %s", what)
		}
	}
}

// pins lists what is pinned of all fast paths.
func (m *machine) pins() (out []string) {
	m.Helper()
	err := filepath.WalkDir("/sys/fs/bpf/weft", func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		m.Fatal(err)
	}
	return out
}

// hooked reports whether n hosts have programs at a pod.
func (m *machine) hooked(n int) bool { return m.hookedAt("pod", n) }

func (m *machine) hookedAt(point string, n int) bool {
	count := 0
	for _, pin := range m.pins() {
		if strings.HasSuffix(pin, "-"+point) {
			count++
		}
	}
	return count == n
}

// stream sends a megabyte from the first pod to the second and back.
func (m *machine) stream(to string) {
	m.Helper()
	var l net.Listener
	err := twohosts.In("p2")(func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(to, "0"))
		return err
	})
	if err != nil {
		m.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	err = twohosts.In("p1")(func() error {
		c, err := net.DialTimeout("tcp", l.Addr().String(), 20*time.Second)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(60 * time.Second))
		go func() { _, _ = c.Write(sent); _ = c.(*net.TCPConn).CloseWrite() }()
		back, err := io.ReadAll(c)
		if err == nil && !bytes.Equal(back, sent) {
			err = fmt.Errorf("%d bytes came back otherwise than sent", len(back))
		}
		return err
	})
	if err != nil {
		m.Fatal(err)
	}
}

// newMachine has two hosts with agents that reach each other's subnets.
func newMachine(t *testing.T, config string) (m *machine, stop func(os.Signal)) {
	t.Helper()
	absence.Tcx(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m = &machine{t, t.TempDir(), self}
	if out, err := exec.Command("sh", "-c", world).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.start("h1", nil, "etcd", "--data-dir", filepath.Join(m.dir, "etcd"), "--listen-client-urls", endpoint, "--advertise-client-urls", endpoint,
		"--listen-peer-urls", "http://127.0.0.1:2380")
	m.until("etcd answers", func() bool {
		put := m.command("h1", []string{"ETCDCTL_API=3"}, "etcdctl", "--endpoints", endpoint, "put", "/coreos.com/network/config", config)
		return put.Run() == nil
	})
	stop = m.agent(1)
	m.agent(2)
	for n := 1; n <= 2; n++ {
		m.until("reachable", func() bool { _, err := os.Stat(m.subnetFile(n)); return err == nil })
	}
	return m, stop
}

// TestWithAgents: pods get the fast path when they come, it outlives its agent,
// gives way to a rule that looks into packets, and leaves nothing behind.
func TestWithAgents(t *testing.T) {
	m, stop := newMachine(t, `{"Network":"10.5.0.0/16","Backend":{"Type":"vxlan"},"FastPath":"auto"}`)
	m.cni(1, "ADD")
	far := m.cni(2, "ADD")
	m.until("programs at both pods", func() bool { return m.hooked(2) })
	m.until("a path to each other", func() bool { return refuses(far) })

	m.stream(far)
	s := m.status(1)
	if s.FastPath == nil || s.FastPath.Mode != "all" || s.FastPath.Fast < 20 || s.FastPath.Slow["tracked"] > 0 {
		t.Fatalf("after a stream: %+v", s.FastPath)
	}

	stop(unix.SIGKILL)
	before := m.pins()
	m.stream(far)
	stop = m.agent(1)
	m.until("the agent answers again", func() bool {
		return m.command("h1", []string{role + "=weft"}, m.self, "status", "--run-dir", filepath.Join(m.dir, "h1", "run")).Run() == nil && m.status(1).FastPath != nil
	})
	if again := m.status(1).FastPath; again.Fast < s.FastPath.Fast+20 {
		t.Errorf("while the agent was away the fast path carried nothing: %d packets, before %d", again.Fast, s.FastPath.Fast)
	}
	if after := m.pins(); strings.Join(before, " ") != strings.Join(after, " ") {
		t.Errorf("the agent that came back made\n%v\nout of\n%v", after, before)
	}

	nft := func(rules string) {
		t.Helper()
		if out, err := m.command("h1", nil, "nft", rules).CombinedOutput(); err != nil {
			t.Fatalf("nft: %v\n%s", err, out)
		}
	}
	nft("table inet look { chain f { type filter hook forward priority 0; log prefix \"seen\"; drop; }; }")
	m.until("the fast path gone for a rule", func() bool { return m.hooked(1) })
	nft("delete table inet look")
	m.until("the fast path back", func() bool { return m.hooked(2) })
	m.stream(far)

	for _, c := range []struct {
		value string
		hooks int
	}{{"off", 0}, {"auto", 2}} {
		m.weft(1, "config", "set", "--etcd-endpoints", endpoint, "--run-dir", filepath.Join(m.dir, "h1", "run"), "FastPath="+c.value)
		m.until("FastPath="+c.value, func() bool { return m.hooked(c.hooks) })
		m.stream(far)
	}

	m.cni(2, "DEL")
	m.until("the pod's program gone", func() bool { return m.hooked(1) })
	stop(unix.SIGTERM)
	m.weft(1, append([]string{"clean", "--etcd-endpoints", endpoint}, m.dirs(1)...)...)
	if !m.hooked(0) {
		t.Errorf("after clean there is %v", m.pins())
	}
}

// refuses reports whether a TCP connection to a closed port is refused.
func refuses(addr string) bool {
	err := twohosts.In("p1")(func() error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(addr, "9"), time.Second)
		if err == nil {
			return c.Close()
		}
		return err
	})
	return err == nil || errors.Is(err, unix.ECONNREFUSED)
}
