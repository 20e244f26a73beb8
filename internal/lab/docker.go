package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// dockerDir is where a host's Docker keeps everything, in the host's directory.
const dockerDir = "docker"

// dockerSocket is where the host's Docker listens.
func (h *Host) dockerSocket() string { return filepath.Join(h.dir, dockerDir, "sock") }

// DaemonJSON is the configuration file of the host's Docker. It need not exist.
func (h *Host) DaemonJSON() string { return filepath.Join(h.dir, dockerDir, "daemon.json") }

// StartDocker runs a real dockerd on the host and waits until it serves. Its containers end with
// it, as they do when a machine's Docker is restarted; those with a restart policy come back with
// the next one. Its log is dockerd.log in the host's directory.
func (h *Host) StartDocker(ctx context.Context) (*Process, error) {
	dir := filepath.Join(h.dir, dockerDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("%s: make the directory of dockerd: %w", h.Name, err)
	}
	runtime := filepath.Join(dir, "runtime")
	if err := os.WriteFile(runtime, []byte(dockerRuntime), 0o755); err != nil {
		return nil, fmt.Errorf("%s: write the container runtime: %w", h.Name, err)
	}
	args := append([]string{"sh", "-c", dockerStart, "dockerd"}, h.dockerdArgs(dir, runtime)...)
	cmd := h.Command(context.Background(), args...)
	cmd.Env = append(cmd.Env, "ROOTLESSKIT_STATE_DIR="+dir, "XDG_RUNTIME_DIR="+dir, "HOME="+dir)
	// A process namespace of its own: whatever dockerd started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	return h.launchReady(ctx, "dockerd", cmd)
}

// dockerdArgs is dockerd's command line: all files in dir, and what it needs to run as the only
// user of a user namespace. What concerns the network is left at its defaults.
func (h *Host) dockerdArgs(dir, runtime string) []string {
	return []string{
		"--config-file", h.DaemonJSON(),
		"--data-root", filepath.Join(dir, "data"),
		"--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"),
		"--host", "unix://" + h.dockerSocket(),
		"--group", "0",
		"--storage-driver", "vfs",
		"--rootless",
		"--exec-opt", "native.cgroupdriver=cgroupfs", // without root: no cgroups
		"--add-runtime", "lab=" + runtime, "--default-runtime", "lab",
		"--userland-proxy=false", // only for published ports
	}
}

// dockerStart prepares the namespaces that dockerd was started in. containerd insists on /run, and
// rootless dockerd on a program that it then does not use.
const dockerStart = `
set -e
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
install -m 755 /dev/null /run/rootlesskit-docker-proxy
PATH=$PATH:/run exec dockerd "$@"
`

// dockerRuntime is runc for containers in a user namespace that has one group only: terminals
// cannot belong to another.
const dockerRuntime = `#!/bin/sh
previous=
for arg; do
	if [ "$previous" = --bundle ]; then sed -i 's/,"gid=5"//' "$arg/config.json" || exit; fi
	previous=$arg
done
exec runc "$@"
`

// ImportImage makes the image that RunContainer uses, out of the busybox on this machine: no
// registry is asked. Docker must run.
func (h *Host) ImportImage(ctx context.Context) error {
	_, err := h.Run(ctx, "sh", "-c", importBusybox, "import", busyboxImage)
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

// importBusybox hands Docker a file system with busybox under all its names.
const importBusybox = clientPage + `
tree=$(mktemp -d "${TMPDIR:-/tmp}/image.XXXXXX")
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/bin" "$tree/tmp"
page "$tree/www"
cp "$(command -v busybox)" "$tree/bin/busybox"
for applet in $(busybox --list); do
	[ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
done
tar -C "$tree" --owner=0 --group=0 --numeric-owner -c . | docker import --change 'ENV PATH=/bin' - "$1"
`
