package kubernetes

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/lab"
)

// node is a machine of the cluster: a host of the lab with files, processes and kernel parameters of
// its own, on which containerd, kubelet and kube-proxy run.
type node struct {
	*lab.Host
	cluster *cluster
	init    *lab.Process            // the node's first process; what runs on the node ends with it
	daemons map[string]*lab.Process // by program
}

// startMachine makes a machine of the host. What is written to /etc, /opt, /var/lib and /var/log
// outlives a reboot.
const startMachine = `
set -e
disk=$1 machine=$2
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p "$disk/etc" "$disk/etc.work" "$disk/opt" "$disk/lib" "$disk/log"
mount -t overlay -o "lowerdir=/etc,upperdir=$disk/etc,workdir=$disk/etc.work" overlay /etc
mount --bind "$disk/opt" /opt
mount --bind "$disk/lib" /var/lib
mount --bind "$disk/log" /var/log
# Where this user may create cgroups, they would stay behind a node that lost its power.
awk '$5 ~ "^/sys/fs/cgroup/" { print $5 }' /proc/self/mountinfo | while read -r group; do
	mount -o remount,bind,ro,nosuid,nodev,noexec "$group"
done
cat /proc/sys/kernel/random/uuid >/run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
printf '%s\n' "$machine" >/etc/machine-id
mount --make-rshared /
touch /run/booted
sleep infinity &
while :; do wait; done # for orphans, as init does
`

// boot starts the node's first process, and returns when the node's files are in place.
func (n *node) boot(ctx context.Context) error {
	// The reference value for a machine's id: 32 hexadecimal digits, which differ between nodes.
	machine := fmt.Sprintf("%032x", n.Name)
	cmd := n.Command(context.Background(), "sh", "-c", startMachine, "init", filepath.Join(n.Dir(), "disk"), machine)
	cmd.Env = nodeEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWCGROUP}
	var err error
	if n.init, err = n.Launch("init", cmd); err != nil {
		return err
	}
	n.daemons = map[string]*lab.Process{}
	return within(ctx, startLimit, func() error {
		if !n.init.Running() {
			return fmt.Errorf("%s does not boot:\n%s", n.Name, n.init.Tail(5))
		}
		_, err := os.Stat(n.path("/run/booted"))
		return err
	})
}

// path is where a file of the node is for this process.
func (n *node) path(file string) string {
	return filepath.Join("/proc", strconv.Itoa(n.init.PID()), "root", file)
}

// nodeEnv is the environment of programs on nodes: nothing of the lab's.
func nodeEnv() []string {
	return []string{
		"HOME=/root", "LC_ALL=C.UTF-8",
		"PATH=" + strings.Join([]string{built.containerd, built.kube, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, ":"),
	}
}

// command prepares a program to run on the node.
func (n *node) command(ctx context.Context, args ...string) *exec.Cmd {
	enter := []string{"nsenter", "--target", strconv.Itoa(n.init.PID()), "--mount", "--pid", "--ipc", "--cgroup"}
	cmd := n.Command(ctx, append(enter, args...)...)
	cmd.Env = nodeEnv()
	return cmd
}

// run runs a program on the node and returns what it printed.
func (n *node) run(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := n.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := n.StartCommand(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return out.String(), fmt.Errorf("%s: %s: %w\n%s", n.Name, strings.Join(args, " "), err, out.String())
	}
	return out.String(), nil
}

// supervise runs a program as an init system does: it starts it again when it ends, and ends it, and
// itself, on SIGTERM. It notes its own number on the node, which is another than outside.
const supervise = `
echo $$ >"/run/$0.pid"
trap 'kill "$child"; wait "$child"; exit' TERM
while :; do
	"$@" &
	child=$!
	wait "$child" || :
	sleep 0.5
done
`

// daemon starts a program that keeps running on the node.
func (n *node) daemon(name string, args ...string) error {
	p, err := n.Launch(name, n.command(context.Background(), append([]string{"sh", "-c", supervise, name}, args...)...))
	n.daemons[name] = p
	return err
}

// stop ends a daemon as an init system does.
func (n *node) stop(ctx context.Context, name string) error {
	if _, err := n.run(ctx, "sh", "-c", `kill "$(cat "/run/$0.pid")"`, name); err != nil {
		return err
	}
	select {
	case <-n.daemons[name].Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %s did not end on SIGTERM: %w", n.Name, name, ctx.Err())
	}
}

// start boots the node and starts what an init system would. It returns when containerd serves; the
// kubelet registers the node soon after.
func (n *node) start(ctx context.Context) error {
	if err := n.boot(ctx); err != nil {
		return err
	}
	if err := n.writeFiles(); err != nil {
		return fmt.Errorf("%s: write the node's files: %w", n.Name, err)
	}
	for _, start := range []func() error{n.startContainerd, n.startProxy} {
		if err := start(); err != nil {
			return err
		}
	}
	if err := n.awaitContainerd(ctx); err != nil { // without it the kubelet ends
		return err
	}
	return n.startKubelet()
}

func (n *node) awaitContainerd(ctx context.Context) error {
	return within(ctx, startLimit, func() error {
		_, err := n.run(ctx, "ctr", "version")
		return err
	})
}

func (n *node) startContainerd() error {
	return n.daemon("containerd", "containerd", "--config", "/etc/containerd.toml")
}

func (n *node) startKubelet() error {
	var addrs []string
	for _, a := range n.Addrs {
		if n.cluster.has(a.Addr()) {
			addrs = append(addrs, a.Addr().String())
		}
	}
	return n.daemon("kubelet", "kubelet", "--config=/etc/kubelet.yml", "--kubeconfig="+n.cluster.api.KubeletConfig(n.Name),
		"--hostname-override="+n.Name, "--node-ip="+strings.Join(addrs, ","))
}

func (n *node) startProxy() error {
	return n.daemon("kube-proxy", "kube-proxy", "--config=/etc/kube-proxy.yml")
}

// importImages makes images known to the node's containerd.
func (n *node) importImages(ctx context.Context, archives []string) error {
	for _, archive := range archives {
		if _, err := n.run(ctx, "ctr", "--namespace", "k8s.io", "images", "import", archive); err != nil {
			return err
		}
	}
	return nil
}

// powerOff ends everything on the node at once, and takes from its network what a machine's kernel
// loses. What is on the node's disk stays for the next start.
func (n *node) powerOff(ctx context.Context) error {
	n.init.Kill()
	_, err := n.Run(ctx, "sh", "-c", loseState, lab.Uplink)
	return err
}

// loseState takes the uplink's name. Only it stays of the network, with its addresses and default routes.
const loseState = `
set -e
routes() { ip "-$1" route show default dev "$0" | sed 's/ proto .*//'; }
four=$(routes 4) six=$(routes 6)
nft flush ruleset
ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | while read -r dev; do
	case $dev in "$0"|lo) ;; *) ip link delete "$dev" 2>/dev/null || : ;; esac # one may take another with it
done
ip link set "$0" down
ip link set "$0" up
echo 0 >/proc/sys/net/ipv4/ip_forward
echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
ip -4 route replace $four dev "$0"
test -z "$six" || ip -6 route replace $six dev "$0"
`

// writeFiles writes what is configured on a node: the files of its programs, and the CNI plugins that
// distributions install.
func (n *node) writeFiles() error {
	errs := []error{os.MkdirAll(n.path("/opt/cni/bin"), 0o755), os.MkdirAll(n.path("/etc/cni/net.d"), 0o755), lab.WriteRunc(n.path("/opt/runc"))}
	plugins, err := filepath.Glob(filepath.Join(built.cni, "*"))
	errs = append(errs, err)
	for _, plugin := range plugins {
		program, err := os.ReadFile(plugin)
		errs = append(errs, err, os.WriteFile(n.path(filepath.Join("/opt/cni/bin", filepath.Base(plugin))), program, 0o755))
	}
	values := map[string]string{
		"PAUSE": pauseImage, "CA": n.cluster.api.CA(), "KUBECONFIG": n.cluster.api.ProxyConfig(),
		"NODE": n.Name, "MODE": n.cluster.proxy, "PODS": n.cluster.podCIDRs(),
	}
	for file, text := range map[string]string{
		"/etc/containerd.toml": containerdConfig, "/etc/kubelet.yml": kubeletConfig, "/etc/kube-proxy.yml": proxyConfig,
	} {
		expanded := os.Expand(text, func(name string) string { return values[name] })
		errs = append(errs, os.WriteFile(n.path(file), []byte(expanded), 0o644))
	}
	return errors.Join(errs...)
}

var (
	//go:embed testdata/containerd.toml
	containerdConfig string
	//go:embed testdata/kubelet.yml
	kubeletConfig string
	//go:embed testdata/kube-proxy.yml
	proxyConfig string
)

// within calls try until it returns nil; its last error is the reason for failing.
func within(ctx context.Context, limit time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", limit, err)
		case <-ticker.C:
		}
	}
}
