package flannel_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"golang.org/x/sys/unix"
)

func TestWithoutSubnet(t *testing.T) {
	h := newHost(t)
	check(t, os.Remove(h.SubnetFile()))
	c := call{command: "ADD", id: "c1", ifName: "eth0", netns: container(t)}
	add := c.start(t, h, conf(h, ""))
	add.waits(t)
	check(t, add.cmd.Process.Signal(syscall.SIGTERM))
	_, _, err := add.end(t)
	c.isError(t, err, types.ErrTryAgainLater, h.SubnetFile(), "weft status", "terminated")
	for _, command := range []string{"DEL", "GC"} {
		c.command = command
		c.must(t, h, conf(h, `, "cni.dev/valid-attachments": []`))
	}
	c.command = "STATUS"
	c.fails(t, h, conf(h, ""), types.ErrPluginNotAvailable, h.SubnetFile())
	check(t, os.MkdirAll(h.RunDir(), 0o755)) // now weft's agent was here
	c.fails(t, h, conf(h, ""), types.ErrPluginNotAvailable, h.SubnetFile())
}

// waits returns when the call waits for the subnet file, which shows in what it
// has open.
func (r *running) waits(t *testing.T) {
	t.Helper()
	for t.Context().Err() == nil {
		paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", r.cmd.Process.Pid))
		if err != nil || len(paths) == 0 {
			t.Fatalf("the call has ended: %s", &r.out)
		}
		for _, path := range paths {
			if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), "inotify wd:") {
				return
			}
		}
		_ = unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil) // /proc tells of no change
	}
}

// TestAddWaitsForTheSubnet, which comes in two steps: the agent of a new host
// needs some seconds for its first lease.
func TestAddWaitsForTheSubnet(t *testing.T) {
	h := newHost(t)
	check(t, os.Remove(h.SubnetFile()))
	c := call{command: "ADD", id: "c1", ifName: "eth0", netns: container(t)}
	add := c.start(t, h, conf(h, ""))
	add.waits(t)
	writeEnv(t, h, "")
	writeEnv(t, h, dualEnv)
	if _, _, err := add.end(t); err != nil {
		t.Error(err)
	}
	c.command = "DEL"
	c.must(t, h, conf(h, ""))
	left(t, h)
}

// TestNetworkNamedTwice: the container gets one route to it.
func TestNetworkNamedTwice(t *testing.T) {
	h := newHost(t)
	writeEnv(t, h, "FLANNEL_NETWORK=172.7.0.0/16,172.7.0.0/16\nFLANNEL_SUBNET=172.7.1.1/24\n"+bothEnv)
	c := call{command: "ADD", id: "c1", ifName: "eth0", netns: container(t)}
	if out := c.must(t, h, conf(h, "")); strings.Count(out, `"dst": "172.7.0.0/16"`) != 1 {
		t.Errorf("ADD answered %s", out)
	}
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
