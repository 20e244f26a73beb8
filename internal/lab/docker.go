package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// dockerDir is where a host's Docker keeps everything, in the host's directory.
const dockerDir = "docker"

// dockerSocket is where the host's Docker listens.
func (h *Host) dockerSocket() string { return filepath.Join(h.dir, dockerDir, "sock") }

// DaemonJSON is the configuration file of the host's Docker, which does not start without.
func (h *Host) DaemonJSON() string { return filepath.Join(h.dir, dockerDir, "daemon.json") }

// StartDocker runs a real dockerd on the host and waits until it serves. Its containers end with
// it, as they do when a machine's Docker is restarted; those with a restart policy come back with
// the next one. Its log is dockerd.log in the host's directory.
func (h *Host) StartDocker(ctx context.Context) (*Process, error) {
	dir := filepath.Join(h.dir, dockerDir)
	program, err := WriteDockerd(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.Name, err)
	}
	cmd := h.Command(context.Background(), "sh", "-c", dockerStart, program,
		"--config-file", h.DaemonJSON(), // which must exist
		"--data-root", filepath.Join(dir, "data"),
		"--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"),
		"--host", "unix://"+h.dockerSocket())
	// A process namespace of its own: whatever dockerd started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	return h.LaunchReady(ctx, "dockerd", cmd)
}

// dockerStart prepares the namespaces that dockerd was started in. containerd insists on /run.
const dockerStart = `mount -t proc proc /proc && mount -t tmpfs tmpfs /run && exec "$0" "$@"`

// WriteDockerd makes dir and writes a program dockerd into it, whose path it returns. It takes
// dockerd's flags and runs the installed dockerd with them as the only user of a user namespace, as
// rootless Docker does. What concerns the network is left at its defaults. It writes to /run, which
// must be the caller's own.
func WriteDockerd(dir string) (program string, err error) {
	installed, err := exec.LookPath("dockerd")
	if err != nil {
		return "", fmt.Errorf("find dockerd, of Debian's package docker.io: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the directory of dockerd: %w", err)
	}
	program, runtime := filepath.Join(dir, "dockerd"), filepath.Join(dir, "lab-runc")
	wrapper := fmt.Sprintf(dockerdWrapper, installed, runtime)
	if err := errors.Join(os.WriteFile(program, []byte(wrapper), 0o755), WriteRunc(runtime)); err != nil {
		return "", fmt.Errorf("write dockerd's wrapper: %w", err)
	}
	return program, nil
}

// dockerdWrapper takes the paths of dockerd and of the container runtime. The proxy is for published
// ports; dockerd looks for it even when told not to use it. Rootless with that driver for cgroups
// means: without cgroups.
const dockerdWrapper = `#!/bin/sh
set -e
install -m 755 /dev/null /run/rootlesskit-docker-proxy
export ROOTLESSKIT_STATE_DIR=/run XDG_RUNTIME_DIR=/run HOME=/run PATH="$PATH:/run"
exec %s --rootless --group 0 --storage-driver vfs --exec-opt native.cgroupdriver=cgroupfs \
	--userland-proxy=false --add-runtime lab=%s --default-runtime lab "$@"
`

// WriteRunc writes the container runtime of the lab's containers to path: the installed runc, for a
// user namespace.
func WriteRunc(path string) error { return os.WriteFile(path, []byte(runcWrapper), 0o755) }

// runcWrapper is runc for containers in a user namespace without cgroups that has one group only:
// terminals cannot belong to another.
const runcWrapper = `#!/bin/sh
previous=
for arg; do
	if [ "$previous" = --bundle ]; then
		sed -i -e 's/,"gid=5"//' -e 's/"resources":{.*},"cgroupsPath":"[^"]*",//' "$arg/config.json" || exit
	fi
	previous=$arg
done
exec runc "$@"
`

// ImportImage makes the image that RunContainer uses, out of the busybox on this machine: no
// registry is asked. Docker must run.
func (h *Host) ImportImage(ctx context.Context) error {
	_, err := h.Run(ctx, "sh", "-c", ImportScript, "import", busyboxImage)
	return err
}

// ServeClientPath runs, on the host itself, the same HTTP server as in containers.
func (h *Host) ServeClientPath(ctx context.Context) error {
	_, err := h.Run(ctx, "sh", "-c", serveClientPath, "serve", filepath.Join(h.dir, "www"))
	return err
}

// clientPage makes the page of ClientPath below a directory.
const clientPage = `
set -e
page() {
	mkdir -p "$1/cgi-bin"
	printf '#!/bin/sh\necho\necho "$REMOTE_ADDR"\n' >"$1/cgi-bin/client"
	chmod 755 "$1/cgi-bin/client"
}
`

// serveClientPath leaves a server behind.
const serveClientPath = clientPage + `
page "$1"
busybox httpd -p 80 -h "$1"
`

// imageTree makes the file system of the image in $tree: busybox under all its names.
const imageTree = clientPage + `
work=$(mktemp -d "${TMPDIR:-/tmp}/image.XXXXXX")
trap 'rm -rf "$work"' EXIT
tree=$work/tree
mkdir -p "$tree/bin" "$tree/tmp"
page "$tree/www"
cp "$(command -v busybox)" "$tree/bin/busybox"
for applet in $(busybox --list); do
	[ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
done
layer() { tar -C "$tree" --owner=0 --group=0 --numeric-owner -c .; }
`

// ImportScript is for sh: it makes the Docker image that its first argument names, a file system
// with busybox under all its names, on the Docker that the docker command finds.
const ImportScript = imageTree + `
layer | docker import --change 'ENV PATH=/bin' - "$1"
`
