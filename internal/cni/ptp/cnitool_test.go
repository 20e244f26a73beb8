package ptp_test

import (
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

// runtime is cnitool with a list of plugins, ours and the CNI project's.
type runtime struct {
	*host
	env []string
}

// newRuntime configures type weft, chained with portmap.
func newRuntime(t *testing.T, h *host) *runtime {
	t.Helper()
	bin, conf := t.TempDir(), t.TempDir()
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"weft": self, "portmap": filepath.Join(toolDir, "portmap")} {
		if err := os.Symlink(target, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := json.Marshal(map[string]any{
		"cniVersion": "1.1.0", "name": "pods",
		"plugins": []any{
			json.RawMessage(h.config()),
			map[string]any{"type": "portmap", "backend": "nftables", "capabilities": map[string]bool{"portMappings": true}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(conf, "10-weft.conflist"), list, 0o600); err != nil {
		t.Fatal(err)
	}
	return &runtime{h, append(os.Environ(), "CNI_PATH="+bin, "NETCONFPATH="+conf, "CNI_IFNAME=eth0")}
}

func (r *runtime) cnitool(command string, c *container, env ...string) (string, error) {
	cmd := exec.Command(filepath.Join(toolDir, "cnitool"), command, "pods", c.path())
	cmd.Env = append(r.env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestUnderARuntime goes through a container's life with cnitool, with a port
// of the host that leads into it.
func TestUnderARuntime(t *testing.T) {
	h := newHost(t, subnet4)
	r := newRuntime(t, h)
	one, two := newContainer(t, "one"), newContainer(t, "two")
	h.add(t, two)
	const ports = `CAP_ARGS={"portMappings":[{"hostPort":8080,"containerPort":7777,"protocol":"tcp"}]}`
	must := func(command string, env ...string) {
		t.Helper()
		if out, err := r.cnitool(command, one, env...); err != nil {
			t.Fatalf("cnitool %s: %v\n%s", command, err, out)
		}
	}
	must("add", ports)
	must("check", ports)
	hostAddr := netip.MustParseAddr("192.0.2.1")
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: hostAddr.AsSlice(), Mask: net.CIDRMask(32, 32)}}
	if err := netlink.AddrAdd(lo, addr); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = netlink.AddrDel(lo, addr) }()
	var ln net.Listener
	if err := one.Do(func() (err error) { ln, err = net.Listen("tcp", ":7777"); return err }); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	for _, caller := range []*container{two, one} { // one calls itself by way of the host
		if err := caller.Do(func() error {
			conn, err := net.Dial("tcp", "192.0.2.1:8080")
			if err != nil {
				return err
			}
			return conn.Close()
		}); err != nil {
			t.Errorf("%s: the host's port does not lead to the container: %v", caller.id, err)
		}
	}
	must("del", ports)
	if got := h.records(t); len(got) != 1 || len(links(t)) != 1 {
		t.Errorf("there are %v and %v", got, links(t))
	}
}

func TestStatusUnderARuntime(t *testing.T) {
	h := newHost(t, subnet4)
	r := newRuntime(t, h)
	one := newContainer(t, "one")
	out, err := r.cnitool("status", one)
	if err == nil || !strings.Contains(out, "no weft agent answers on "+h.dir) {
		t.Errorf("without an agent: %v, %s", err, out)
	}
	if err := os.Remove(h.Subnet); err != nil {
		t.Fatal(err)
	}
	out, err = r.cnitool("status", one)
	if err == nil || !strings.Contains(out, "there is no "+h.Subnet) {
		t.Errorf("without a subnet: %v, %s", err, out)
	}
}
