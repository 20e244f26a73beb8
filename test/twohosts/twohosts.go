// Package twohosts makes two hosts on a wire with a pod each, in network namespaces,
// connected as weft and flanneld connect them, for tests and measures of the fast path.
// It needs root. It loads no programs, so that the fast path's own tests can use it.
package twohosts

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netstate"
)

// inside marks the process that has namespaces of its own.
const inside = "WEFT_TWO_HOSTS"

// Main runs f in a network and a mount namespace of its own, but in the first user
// namespace, where bpf(2) permits root what it permits an agent. Without root
// it runs f where it is.
func Main(f func() int) int {
	if os.Getenv(inside) != "" || os.Geteuid() != 0 {
		_ = os.Unsetenv(inside) // for what is started from here
		return f()
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Unshareflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	err := cmd.Run()
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "start in a network namespace:", err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// script makes hosts h1 and h2 with the pods p1 and p2.
const script = `
set -e
mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns
for n in 1 2; do
	ip netns add h$n; ip netns add p$n
	ip netns exec h$n sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/icmp_ratelimit' # each error is answered
	ip -n h$n link set lo up
done
ip link add up0 netns h1 type veth peer name up0 netns h2
for n in 1 2; do
	o=$((3 - n))
	ip -n h$n link set up0 up
	[ UPLINK = up0 ] || ip -n h$n link add link up0 name UPLINK type vlan id 5
	ip -n h$n addr add 10.4.0.$n/24 dev UPLINK; ip -n h$n link set UPLINK up
	ip -n h$n link add flannel.1 mtu 1450 address 02:00:00:00:09:0$n type vxlan id 1 local 10.4.0.$n dev UPLINK dstport 8472 nolearning noudpcsum
	ip -n h$n addr add 10.5.$n.0/32 dev flannel.1; ip -n h$n link set flannel.1 up
	ip -n h$n neigh add 10.5.$o.0 lladdr 02:00:00:00:09:0$o dev flannel.1 nud permanent
	ip netns exec h$n bridge fdb add 02:00:00:00:09:0$o dst 10.4.0.$o dev flannel.1
	ip -n h$n route add 10.5.$o.0/24 via 10.5.$o.0 dev flannel.1 onlink
PODS
done
`

// Pods are behind a veth, as CNI type weft makes them, or on a bridge, with a
// service that the host translates while packets pass the bridge.
const (
	Veth = `
	ip link add pod netns h$n mtu 1450 address 02:00:00:00:02:0$n type veth peer name eth0 netns p$n mtu 1450 address 02:00:00:00:01:0$n
	ip -n h$n link set pod up; ip -n h$n route add 10.5.$n.7/32 dev pod
	ip -n h$n neigh add 10.5.$n.7 lladdr 02:00:00:00:01:0$n dev pod
	ip -n p$n link set lo up; ip -n p$n link set eth0 up; ip -n p$n addr add 10.5.$n.7/32 dev eth0
	ip -n p$n neigh add 169.254.1.1 lladdr 02:00:00:00:02:0$n dev eth0 nud permanent
	ip -n p$n route add 169.254.1.1 dev eth0 scope link; ip -n p$n route add default via 169.254.1.1
`
	Bridge = `
	ip -n h$n link add cni0 mtu 1450 address 02:00:00:00:02:0$n type bridge
	ip -n h$n addr add 10.5.$n.1/24 dev cni0; ip -n h$n link set cni0 up
	ip link add pod netns h$n mtu 1450 type veth peer name eth0 netns p$n mtu 1450 address 02:00:00:00:01:0$n
	ip -n h$n link set pod master cni0 up
	ip -n p$n link set lo up; ip -n p$n link set eth0 up; ip -n p$n addr add 10.5.$n.7/24 dev eth0
	ip -n p$n route add default via 10.5.$n.1
	ip netns exec h$n sh -c 'echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables'
	ip netns exec h$n nft "table ip services { chain pre { type nat hook prerouting priority -100; ip daddr 10.9.9.9 dnat to 10.5.$o.7; }; }"
`
	Service = "10.9.9.9" // stands for the other pod
)

// What the hosts' uplinks can be.
const (
	Wire = "up0"
	VLAN = "up0.5" // tagged frames on the wire
)

// Build makes them, with pods as given. remove takes them away.
func Build(uplink, pods string) (remove func(), err error) {
	if err := Run(strings.NewReplacer("UPLINK", uplink, "PODS", pods).Replace(script)); err != nil {
		return nil, err
	}
	return func() {
		_ = Run("for n in h1 h2 p1 p2; do ip netns del $n; done")
		_ = unix.Unmount("/run/netns", unix.MNT_DETACH)
	}, nil
}

// Run runs a shell script.
func Run(script string) error {
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s\nof\n%s", err, out, script)
	}
	return nil
}

// Firewall are rules as weft makes them, which have connection tracking see all
// packets on the kernel's path.
const Firewall = `
for n in 1 2; do ip netns exec h$n nft -f - <<EOF
table inet weft {
	chain guard { type filter hook input priority -10; udp dport 8472 ip saddr != { 10.4.0.1, 10.4.0.2 } drop; }
	chain postrouting {
		type nat hook postrouting priority 99;
		ip saddr 10.5.0.0/16 ip daddr 10.5.0.0/16 ct status dnat return
		ip saddr 10.5.0.0/16 ip daddr 10.5.0.0/16 snat ip to ip saddr
		ip saddr 10.5.0.0/16 ip daddr != 224.0.0.0/4 masquerade
	}
}
EOF
done
`

// RouteDirectly has both hosts reach the other pod without the tunnel.
func RouteDirectly() error {
	return Run("for n in 1 2; do o=$((3 - n)); ip -n h$n route replace 10.5.$o.0/24 via 10.4.0.$o; done")
}

// Want is the fast path of host n, of the programs code.
func Want(n int, pods string, direct bool, code string) (*netstate.State, error) {
	near := "fastpod weft 10.5.N.7 dev pod mac 02:00:00:00:01:0N via 02:00:00:00:02:0N mtu 1450\nfasthook weft pod pod"
	if pods == Bridge {
		near = "fastbridge weft 10.5.N.0/24 dev cni0 mtu 1450\nfasthook weft cni0 bridge"
	}
	mac := "mac 02:00:00:00:09:0O"
	if direct {
		mac = ""
	}
	text := strings.NewReplacer("MAC", mac, "NEAR", near).Replace(`
fastpath weft mode all dev up0 vni 1 local 10.4.0.N port 8472 mac 02:00:00:00:09:0N code CODE
fastremote weft 10.5.O.0/24 host 10.4.0.O MAC mtu 1450
NEAR
fasthook weft up0 uplink
`)
	return netstate.Parse(strings.NewReader(strings.NewReplacer("CODE", code, "N", fmt.Sprint(n), "O", fmt.Sprint(3-n)).Replace(text)))
}

// In returns what runs functions on a thread in one of the namespaces.
func In(name string) func(func() error) error {
	return func(f func() error) error {
		done := make(chan error)
		go func() {
			runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
			fd, err := unix.Open(filepath.Join("/run/netns", name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err == nil {
				err = errors.Join(unix.Setns(fd, unix.CLONE_NEWNET), unix.Close(fd))
			}
			if err == nil {
				err = f()
			}
			done <- err
		}()
		return <-done
	}
}
