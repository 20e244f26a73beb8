package flannel_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/netns"
)

// TestListsOfTheGuide takes a container through its life with cnitool, by each
// list that the guide gives, and with everything at its usual place.
func TestListsOfTheGuide(t *testing.T) {
	lists := guideLists(t)
	if len(lists) != 2 {
		t.Errorf("the guide has %d lists, want one for each type", len(lists))
	}
	for _, list := range lists {
		t.Run(list.Plugins[0].Type, func(t *testing.T) { life(t, list) })
	}
}

func life(t *testing.T, list list) {
	h, other := newHosts(t)
	fillUsualPlaces(t)
	check(t, h.Forward()) // as the agent does
	ns, err := netns.New("c1")
	check(t, err)
	t.Cleanup(func() { check(t, ns.Close()) })
	tool := newCnitool(t, h, list)
	if list.Plugins[0].Type == "flannel" { // the other type's wants an agent
		tool.run("status", ns.Path())
	}
	tool.run("add", ns.Path())
	tool.run("check", ns.Path())
	reachPort(t, other, h, ns)
	tool.run("del", ns.Path())
	tool.run("del", ns.Path()) // what is gone is no error
	tool.run("add", ns.Path())
	records := filepath.Join("/var/lib/cni", list.Plugins[0].Type)
	if _, err := os.Stat(records); err != nil {
		t.Error("what the guide says of dataDir is not so:", err)
	}
	tool.run("del", ns.Path())
	for _, dir := range []string{"/var/lib/cni/flannel", "/var/lib/cni/networks/" + list.Name} {
		if names := files(t, dir); len(names) > 0 {
			t.Errorf("%s is left in %s", names, dir)
		}
	}
}

// list is a network configuration list.
type list struct {
	Name    string
	Plugins []struct{ Type string }
	text    []byte
}

// guideLists are the lists in the guide, but of the spec's latest version, so
// that STATUS and GC are called.
func guideLists(t *testing.T) (lists []list) {
	t.Helper()
	guide, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "guides", "cni.md"))
	check(t, err)
	for _, block := range regexp.MustCompile("(?s)\n```json\n(.*?)\n```\n").FindAllSubmatch(guide, -1) {
		l := list{text: bytes.Replace(block[1], []byte("1.0.0"), []byte("1.1.0"), 1)}
		check(t, json.Unmarshal(l.text, &l))
		lists = append(lists, l)
	}
	return lists
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
	t       *testing.T
	host    *lab.Host
	network string
	env     []string
}

func newCnitool(t *testing.T, h *lab.Host, list list) cnitool {
	t.Helper()
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "10-test.conflist"), list.text, 0o644))
	program, err := os.Executable()
	check(t, err)
	bin := t.TempDir()
	check(t, os.Symlink(program, filepath.Join(bin, list.Plugins[0].Type)))
	return cnitool{t: t, host: h, network: list.Name, env: []string{
		"NETCONFPATH=" + dir,
		"CNI_PATH=" + bin + ":" + pluginDir,
		`CAP_ARGS={"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}`,
	}}
}

// run runs a command of cnitool on the container, which must succeed.
func (c cnitool) run(command, netns string) {
	c.t.Helper()
	cmd := c.host.Command(c.t.Context(), filepath.Join(pluginDir, "cnitool"), command, c.network, netns)
	cmd.Env = append(cmd.Env, c.env...)
	out, err := output(c.host, cmd)
	if err != nil {
		c.t.Fatalf("cnitool %s: %v\n%s", command, err, out)
	}
}
