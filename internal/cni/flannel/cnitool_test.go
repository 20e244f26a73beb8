package flannel_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/netns"
)

// usual is the list that flannel's manifests install, but of the spec's latest
// version, so that STATUS and GC are called.
const usual = `{
  "name": "cbr0",
  "cniVersion": "1.1.0",
  "plugins": [
    {"type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}`

// TestUsualListWithCnitool takes one container through its life with cnitool,
// the list that everybody has, and everything at its usual place.
func TestUsualListWithCnitool(t *testing.T) {
	h, other := newHosts(t)
	fillUsualPlaces(t)
	ns, err := netns.New("c1")
	check(t, err)
	t.Cleanup(func() { check(t, ns.Close()) })
	tool := newCnitool(t, h, usual)

	tool.run("status", ns.Path())
	tool.run("add", ns.Path())
	tool.run("check", ns.Path())
	reachPort(t, other, h, ns)
	tool.run("del", ns.Path())
	tool.run("del", ns.Path()) // what is gone is no error
	tool.run("add", ns.Path())
	if len(files(t, "/var/lib/cni/flannel")) != 1 || len(files(t, "/var/lib/cni/networks/cbr0")) != 1 {
		t.Error("the record and the address are not at their usual places")
	}
	tool.run("gc", ns.Path()) // cnitool says that nothing is valid
	for _, dir := range []string{"/var/lib/cni/flannel", "/var/lib/cni/networks/cbr0"} {
		if names := files(t, dir); len(names) > 0 {
			t.Errorf("%s is left in %s", names, dir)
		}
	}
}

func fillUsualPlaces(t *testing.T) {
	t.Helper()
	check(t, os.MkdirAll("/run/flannel", 0o755))
	check(t, os.WriteFile("/run/flannel/subnet.env", []byte(v4Env+bothEnv), 0o644))
	t.Cleanup(func() { check(t, os.RemoveAll("/run/flannel")); check(t, os.RemoveAll("/var/lib/cni")) })
}

// reachPort connects from other to the port of h that is the container's.
func reachPort(t *testing.T, other, h *lab.Host, ns *netns.NS) {
	t.Helper()
	const said = "hello from the container"
	served := make(chan error, 1)
	var listener net.Listener
	check(t, ns.Do(func() (err error) { listener, err = net.Listen("tcp", ":80"); return err }))
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, err = io.WriteString(conn, said)
			err = errors.Join(err, conn.Close(), listener.Close())
		}
		served <- err
	}()
	var got []byte
	check(t, other.Do(func() error {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("%s:8080", h.Addrs[0].Addr()), limit)
		if err != nil {
			return err
		}
		got, err = io.ReadAll(conn)
		return errors.Join(err, conn.Close())
	}))
	check(t, <-served)
	if string(got) != said {
		t.Errorf("the port said %q", got)
	}
}

// cnitool runs the program of that name on a host.
type cnitool struct {
	t    *testing.T
	host *lab.Host
	env  []string
}

func newCnitool(t *testing.T, h *lab.Host, list string) cnitool {
	t.Helper()
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "10-test.conflist"), []byte(list), 0o644))
	program, err := os.Executable()
	check(t, err)
	check(t, os.Symlink(program, filepath.Join(dir, "flannel")))
	return cnitool{t: t, host: h, env: []string{
		"NETCONFPATH=" + dir,
		"CNI_PATH=" + dir + ":" + pluginDir,
		`CAP_ARGS={"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}`,
	}}
}

// run runs a command of cnitool on the container, which must succeed.
func (c cnitool) run(command, netns string) {
	c.t.Helper()
	cmd := c.host.Command(c.t.Context(), filepath.Join(pluginDir, "cnitool"), command, "cbr0", netns)
	cmd.Env = append(cmd.Env, c.env...)
	out, err := output(c.host, cmd)
	if err != nil {
		c.t.Fatalf("cnitool %s: %v\n%s", command, err, out)
	}
}
