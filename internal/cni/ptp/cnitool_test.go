package ptp_test

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	current "github.com/containernetworking/cni/pkg/types/100"
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
	return newChain(t, h, map[string]any{"type": "portmap", "backend": "nftables", "capabilities": map[string]bool{"portMappings": true}})
}

// newChain configures type weft, chained with plugins.
func newChain(t *testing.T, h *host, plugins ...map[string]any) *runtime {
	t.Helper()
	bin, conf := t.TempDir(), t.TempDir()
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	list := []any{json.RawMessage(h.config())}
	programs := map[string]string{"weft": self}
	for _, p := range plugins {
		name := p["type"].(string)
		list, programs[name] = append(list, p), filepath.Join(toolDir, name)
	}
	for name, target := range programs {
		if err := os.Symlink(target, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(map[string]any{"cniVersion": "1.1.0", "name": "pods", "plugins": list})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(conf, "10-weft.conflist"), text, 0o600); err != nil {
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
	giveAddress(t)
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

// giveAddress gives the host an address, 192.0.2.1, and a default route.
func giveAddress(t *testing.T) {
	t.Helper()
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(192, 0, 2, 1), Mask: net.CIDRMask(32, 32)}}
	if err := netlink.AddrAdd(lo, addr); err != nil {
		t.Fatal(err)
	}
	out := &netlink.Route{LinkIndex: lo.Attrs().Index, Dst: &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}}
	if err := netlink.RouteAdd(out); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(netlink.RouteDel(out), netlink.AddrDel(lo, addr)); err != nil {
			t.Error(err)
		}
	})
}

// forgetNeighbours removes the host's entries for containers.
func forgetNeighbours(t *testing.T) {
	t.Helper()
	for _, name := range links(t) {
		link, err := netlink.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		list, err := netlink.NeighList(link.Attrs().Index, netlink.FAMILY_ALL)
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		for _, n := range list {
			if n.State != netlink.NUD_NOARP { // of multicast
				err = errors.Join(err, netlink.NeighDel(&n))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestChained has plugins behind weft's change the interface: containers are
// reached in both families, from the host and from each other, and CHECK passes.
func TestChained(t *testing.T) {
	for name, plugin := range map[string]map[string]any{
		"another MAC":      {"type": "tuning", "mac": "c2:b0:57:49:47:f1"},
		"a smaller MTU":    {"type": "tuning", "mtu": 1400},
		"routes by source": {"type": "sbr"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, subnet4, subnet6)
			giveAddress(t)
			r := newChain(t, h, plugin)
			one, two := newContainer(t, "one"), newContainer(t, "two")
			others := addrsOf(h.add(t, two))
			must := func(command string) string {
				t.Helper()
				out, err := r.cnitool(command, one)
				if err != nil {
					t.Fatalf("cnitool %s: %v\n%s", command, err, out)
				}
				return out
			}
			var res current.Result
			out := must("add")
			result := strings.Index(out, "{\n") // behind what sbr logs
			if err := json.Unmarshal([]byte(out[max(0, result):]), &res); err != nil {
				t.Fatal(err)
			}
			for i, own := range addrsOf(&res) {
				talk(t, nil, one, own)
				if saw := talk(t, two, one, own); saw != others[i] {
					t.Errorf("it sees %s, not %s", saw, others[i])
				}
			}
			must("check")
			forgetNeighbours(t) // they are asked for then
			for _, own := range addrsOf(&res) {
				talk(t, nil, one, own)
				talk(t, two, one, own)
			}
			must("del")
			if got := h.records(t); len(got) != 1 || len(links(t)) != 1 {
				t.Errorf("left are %v and %v", got, links(t))
			}
		})
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
