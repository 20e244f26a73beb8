package ptp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"

	"github.com/weft-net/weft/internal/cni"
	"github.com/weft-net/weft/internal/cni/plugins"
	"github.com/weft-net/weft/internal/netns"
	"github.com/weft-net/weft/internal/subnetenv"
	"github.com/weft-net/weft/test/programs"
)

// toolDir has cnitool and the containernetworking plugins.
var toolDir string

// TestMain makes the test's program the plugin, too, when it is started as
// one; else the tests run in a network of their own, which is the host.
func TestMain(m *testing.M) {
	if cni.Called(os.Args, os.Getenv) {
		os.Exit(plugins.Main(context.Background()))
	}
	// With the race detector each plugin would sleep a second at its end.
	err := os.Setenv("GORACE", "atexit_sleep_ms=0")
	if err == nil {
		toolDir, err = programs.CNI.Dir(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(netns.Main(func() int {
		// cnitool remembers results below /var/lib/cni.
		if err := netns.MountTmpfs("/var/lib"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}))
}

// host is a host with a subnet, without an agent.
type host struct {
	dir    string
	Subnet string // file
	Data   string
}

func newHost(t *testing.T, subnets ...string) *host {
	t.Helper()
	for _, f := range []string{"ipv4", "ipv6"} { // the agent's affair on a real host
		if err := os.WriteFile("/proc/sys/net/"+f+"/conf/all/forwarding", []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	h := &host{dir: dir, Subnet: filepath.Join(dir, "subnet.env"), Data: filepath.Join(dir, "data")}
	h.lease(t, subnets...)
	return h
}

// lease has the host lease other subnets.
func (h *host) lease(t *testing.T, subnets ...string) {
	t.Helper()
	env := subnetenv.Env{MTU: 1450}
	for _, s := range subnets {
		env.Subnets = append(env.Subnets, netip.MustParsePrefix(s))
	}
	if err := subnetenv.Write(h.Subnet, env); err != nil {
		t.Fatal(err)
	}
}

// config is the plugin's, of version 1.1.0, with further keys.
func (h *host) config(keys ...any) []byte {
	c := map[string]any{
		"cniVersion": "1.1.0", "name": "pods", "type": "weft",
		"subnetFile": h.Subnet, "dataDir": h.Data, "runDir": h.dir,
	}
	for i := 0; i < len(keys); i += 2 {
		c[keys[i].(string)] = keys[i+1]
	}
	raw, _ := json.Marshal(c) // made of strings and what tests give
	return raw
}

// command is a call of the plugin as a runtime does it.
func (h *host) command(what, id, netnsPath string, config []byte) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "CNI_COMMAND="+what, "CNI_CONTAINERID="+id, "CNI_NETNS="+netnsPath, "CNI_IFNAME=eth0", "CNI_PATH=/nowhere")
	cmd.Stdin = bytes.NewReader(config)
	return cmd
}

// call calls the plugin and returns what it printed, or its error.
func (h *host) call(what, id, netnsPath string, config []byte) ([]byte, error) {
	cmd := h.command(what, id, netnsPath, config)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if stderr.Len() > 0 {
		return out, fmt.Errorf("the plugin wrote to standard error: %s", &stderr)
	}
	if err == nil {
		return out, nil
	}
	var refusal types.Error
	if json.Unmarshal(out, &refusal) != nil || refusal.Msg == "" {
		return out, fmt.Errorf("%w, and it printed %q", err, out)
	}
	return out, &refusal
}

// container is a container's network namespace.
type container struct {
	*netns.NS
	id string
}

func newContainer(t *testing.T, id string) *container {
	t.Helper()
	ns, err := netns.New(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	return &container{ns, id}
}

func (c *container) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), c.FD()) }

// add attaches c and returns the result; it is detached when the test ends.
func (h *host) add(t *testing.T, c *container) *current.Result {
	t.Helper()
	out, err := h.call("ADD", c.id, c.path(), h.config())
	if err != nil {
		t.Fatal(err)
	}
	var res current.Result
	if err := json.Unmarshal(out, &res); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.del(t, c.id) })
	return &res
}

func (h *host) del(t *testing.T, id string) {
	t.Helper()
	if out, err := h.call("DEL", id, "", h.config()); err != nil || len(out) > 0 {
		t.Errorf("DEL: %v, and it printed %q", err, out)
	}
}

func addrsOf(res *current.Result) (all []netip.Addr) {
	for _, ip := range res.IPs {
		a, _ := netip.AddrFromSlice(ip.Address.IP)
		all = append(all, a.Unmap())
	}
	return all
}

// records lists what is on record.
func (h *host) records(t *testing.T) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(h.Data, "*-*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	return names
}

// links lists the devices of containers on the host.
func links(t *testing.T) (names []string) {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if strings.HasPrefix(i.Name, "weft") {
			names = append(names, i.Name)
		}
	}
	return names
}

// talk has one container call another, or the host if it is nil, at an
// address, and returns whom the called one saw.
func talk(t *testing.T, caller, called *container, to netip.Addr) netip.Addr {
	t.Helper()
	in := func(c *container, f func() error) {
		t.Helper()
		do := func(f func() error) error { return f() }
		if c != nil {
			do = c.Do
		}
		if err := do(f); err != nil {
			t.Fatal(err)
		}
	}
	var ln net.Listener
	in(called, func() (err error) {
		ln, err = net.Listen("tcp", netip.AddrPortFrom(to, 0).String())
		return err
	})
	defer func() { _ = ln.Close() }()
	var conn net.Conn
	in(caller, func() (err error) {
		conn, err = net.DialTimeout("tcp", ln.Addr().String(), 10*time.Second)
		return err
	})
	defer func() { _ = conn.Close() }()
	other, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	return other.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
}
