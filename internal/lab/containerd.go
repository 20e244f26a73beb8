package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// containerdImage is the image of StartContainerd's containers, by its full name, as ctr has it.
const containerdImage = "localhost/" + busyboxImage + ":latest"

// Containerd is a real containerd on a host. Everything that it and its containers are ends with it.
type Containerd struct {
	*Process
	host    *Host
	runtime string // path of the container runtime
	execs   atomic.Int64
}

// StartContainerd runs a real containerd on the host, as the only user of a user namespace and
// without cgroups, and waits until it serves. Its containers get their network from CNI: conflist
// is in its usual directory, with the plugins that AddPodCNI has. What is written to /etc, /opt,
// /run and /var/lib stays in containerd's own mount namespace.
func (h *Host) StartContainerd(ctx context.Context, conflist []byte) (*Containerd, error) {
	plugins, err := h.lab.cni()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(h.dir, "containerd")
	runtime, list := filepath.Join(dir, "lab-runc"), filepath.Join(dir, "lab.conflist")
	err = errors.Join(os.MkdirAll(dir, 0o755), WriteRunc(runtime), os.WriteFile(list, conflist, 0o644))
	if err != nil {
		return nil, fmt.Errorf("%s: write containerd's files: %w", h.Name, err)
	}
	cmd := h.Command(context.Background(), append([]string{"sh", "-c", containerdStart, "containerd", list}, plugins...)...)
	// A process namespace of its own: whatever containerd started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	process, err := h.LaunchReady(ctx, "containerd", cmd)
	if err != nil {
		return nil, err
	}
	c := &Containerd{Process: process, host: h, runtime: runtime}
	if _, err := c.run(ctx, "sh", "-c", containerdImport, "import", containerdImage); err != nil {
		process.Kill()
		return nil, err
	}
	return c, nil
}

// containerdStart takes a list of plugins' configs and directories with plugins. The parts of
// containerd that are left out require what a user namespace cannot have.
const containerdStart = `
set -e
mount -t proc proc /proc
for dir in /run /opt /var/lib; do mount -t tmpfs tmpfs "$dir"; done
mkdir -p /run/etc/upper /run/etc/work /opt/cni/bin
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work overlay /etc
mkdir -p /etc/cni/net.d
cp "$1" /etc/cni/net.d/10-lab.conflist
shift
for dir; do ln -s "$dir"/* /opt/cni/bin/; done
cat >/run/containerd.toml <<END
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
END
exec containerd --config /run/containerd.toml
`

// containerdImport makes the image that its first argument names.
const containerdImport = imageTree + `
image=$work/image
mkdir "$image"
layer >"$image/layer.tar"
sum=$(sha256sum "$image/layer.tar" | cut -d ' ' -f 1)
cat >"$image/config.json" <<END
{"architecture": "$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')", "os": "linux", "config": {"Env": ["PATH=/bin"]},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$sum"]}}
END
printf '[{"Config": "config.json", "RepoTags": ["%s"], "Layers": ["layer.tar"]}]' "$1" >"$image/manifest.json"
tar -C "$image" -c . | ctr image import -
`

// run runs a program where containerd runs.
func (c *Containerd) run(ctx context.Context, args ...string) (string, error) {
	return c.host.Run(ctx, append([]string{"nsenter", "--target", strconv.Itoa(c.PID()), "--mount", "--pid"}, args...)...)
}

// Ctr runs containerd's command line.
func (c *Containerd) Ctr(ctx context.Context, args ...string) (string, error) {
	return c.run(ctx, append([]string{"ctr"}, args...)...)
}

// RunContainer starts a container with a network of CNI. It stays until containerd ends.
func (c *Containerd) RunContainer(ctx context.Context, name string) error {
	_, err := c.Ctr(ctx, "run", "--detach", "--cni", "--runc-binary", c.runtime, containerdImage, name, "sleep", "1000000")
	return err
}

// RunOnce runs a program in a new container with a network of CNI, deletes the container, and
// returns what the program printed.
func (c *Containerd) RunOnce(ctx context.Context, name string, args ...string) (string, error) {
	return c.Ctr(ctx, append([]string{"run", "--rm", "--cni", "--runc-binary", c.runtime, containerdImage, name}, args...)...)
}

// Exec runs a program in a container of RunContainer and returns what it printed.
func (c *Containerd) Exec(ctx context.Context, name string, args ...string) (string, error) {
	return c.Ctr(ctx, append([]string{"task", "exec", "--exec-id", fmt.Sprintf("exec-%d", c.execs.Add(1)), name}, args...)...)
}

// Addrs are the addresses of a container's interface, less link-local ones.
func (c *Containerd) Addrs(ctx context.Context, name string) (addrs []netip.Addr, err error) {
	out, err := c.Exec(ctx, name, "ip", "-o", "addr", "show", "dev", Uplink, "scope", "global")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) { // 2: eth0    inet 172.7.21.2/24 ...
		words := strings.Fields(line)
		if len(words) < 4 {
			continue
		}
		prefix, err := netip.ParsePrefix(words[3])
		if err != nil {
			return nil, fmt.Errorf("%s: the address of container %s: %w", c.host.Name, name, err)
		}
		addrs = append(addrs, prefix.Addr())
	}
	return addrs, nil
}
