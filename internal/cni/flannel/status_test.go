package flannel_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
)

func TestWithoutSubnet(t *testing.T) {
	h := newHost(t)
	check(t, os.Remove(h.SubnetFile()))
	c := call{command: "ADD", id: "c1", ifName: "eth0", netns: container(t)}
	c.fails(t, h, conf(h, ""), types.ErrTryAgainLater, h.SubnetFile(), "weft status")
	for _, command := range []string{"DEL", "GC"} {
		c.command = command
		c.must(t, h, conf(h, `, "cni.dev/valid-attachments": []`))
	}
	c.command = "STATUS"
	c.fails(t, h, conf(h, ""), types.ErrPluginNotAvailable, h.SubnetFile())
	check(t, os.MkdirAll(h.RunDir(), 0o755)) // now weft's agent was here
	c.fails(t, h, conf(h, ""), types.ErrPluginNotAvailable, h.SubnetFile())
}

// TestWithoutAgent: what the subnet file says is enough for containers to come
// and go.
func TestWithoutAgent(t *testing.T) {
	h := newHost(t)
	c := call{command: "ADD", id: "c1", ifName: "eth0", netns: container(t)}
	check(t, os.MkdirAll(h.RunDir(), 0o755))
	c.must(t, h, conf(h, ""))
	status := call{command: "STATUS"}
	status.fails(t, h, conf(h, ""), types.ErrLimitedConnectivity, "no weft agent answers")
	c.command = "DEL"
	c.must(t, h, conf(h, ""))
	left(t, h)
}

func TestStatusOfFlanneldsHost(t *testing.T) {
	h := newHost(t)
	status := call{command: "STATUS"}
	status.must(t, h, conf(h, ""))
	status.path = t.TempDir()
	status.fails(t, h, conf(h, ""), types.ErrPluginNotAvailable, `"bridge"`)
	// The delegate's own status counts: here it lacks its IPAM.
	check(t, os.Symlink(filepath.Join(pluginDir, "bridge"), filepath.Join(status.path, "bridge")))
	status.fails(t, h, conf(h, ""), types.ErrInternal, "host-local")
}
