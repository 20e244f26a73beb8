package kernel_test

import (
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/netstate"
)

// TestRefusalsNameWhatIsInTheWay checks the errors that operators see.
func TestRefusalsNameWhatIsInTheWay(t *testing.T) {
	const device = "link flannel.1 vxlan vni 1 local 10.4.7.21 dev eth0 port 8472 nolearning mtu 1400 mac 0a:00:00:00:00:01 up"
	for name, tc := range map[string]struct {
		before string
		row    string
		errno  syscall.Errno
		says   []string
	}{
		"name taken": {"ip link add flannel.1 type bridge", device,
			syscall.EEXIST, []string{"bridge", "ip link delete flannel.1"}},
		"VNI taken": {"ip link add vx7 type vxlan id 1 dev eth0 local 10.4.7.21 dstport 8472", device,
			syscall.EEXIST, []string{"device vx7 has VNI 1 on UDP port 8472"}},
		"port taken": {"ip link add vx7 up type vxlan id 2 gbp dev eth0 local 10.4.7.21 dstport 8472", device,
			syscall.EADDRINUSE, []string{"vx7"}},
		"no lower device": {"", strings.Replace(device, "eth0", "eth7", 1), syscall.ENODEV, []string{"there is no device eth7"}},
		"MTU too large":   {"", strings.Replace(device, "1400", "1500", 1), syscall.EINVAL, []string{"MTU to 1500"}},
		"gateway elsewhere": {"", "route 10.5.2.0/24 via 10.9.9.9 dev eth0",
			syscall.ENETUNREACH, []string{"is 10.9.9.9 within a prefix of eth0?"}},
		"gateway elsewhere 6": {"", "route fd05:0:0:2::/64 via fd09::9 dev eth0",
			syscall.EHOSTUNREACH, []string{"is fd09::9 within a prefix of eth0?"}},
		"device is down": {"ip link set eth0 down", "route 10.5.2.0/24 via 10.4.7.9 dev eth0 onlink",
			syscall.ENETDOWN, []string{"ip link set eth0 up"}},
		"no such parameter": {"", "sysctl net/ipv4/nonsense 1", syscall.ENOENT, []string{"net/ipv4/nonsense"}},
		"bad value":         {"", "sysctl net/ipv4/ip_forward often", syscall.EINVAL, []string{"net/ipv4/ip_forward"}},
	} {
		t.Run(name, func(t *testing.T) {
			ns := newHost(t)
			shell(t, ns, tc.before)
			a := newAgent(t, ns, networks...)
			a.observe()
			err := a.add(tc.row)[tc.row]
			for _, want := range append(tc.says, tc.row) {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if !errors.Is(err, tc.errno) {
				t.Errorf("the error is not %v: %v", tc.errno, err)
			}
		})
	}
}

// TestOneBadPeerAmongMany lets the kernel refuse some of a batch.
func TestOneBadPeerAmongMany(t *testing.T) {
	a := newAgent(t, newHost(t), networks...)
	a.settle(tunnels)
	const bad4, bad6 = "route 10.5.3.0/24 via 10.9.9.9 dev eth0", "route fd05:0:0:3::/64 via fd09::9 dev eth0"
	const same4 = "route 10.5.4.0/24 via 10.9.9.9 dev eth0"
	const good = `
		route 10.5.2.0/24 via 10.4.7.22 dev eth0
		route 10.5.5.0/24 via 10.4.7.23 dev eth0
		route fd05:0:0:2::/64 via fd00:4:7::22 dev eth0
		route fd05:0:0:5::/64 via fd00:4:7::23 dev eth0`
	failed := a.add(strings.Join([]string{good, bad4, same4, bad6}, "\n"))
	if len(failed) != 3 || failed[bad4] == nil || failed[same4] == nil || failed[bad6] == nil {
		t.Errorf("failed: %v", failed)
	}
	if left := netstate.Diff(a.observe(), rows(t, tunnels+good)); len(left) != 0 {
		t.Errorf("still to do: %v", left)
	}
}

// TestWithoutCapability reads and fails to write as an unprivileged process
// does.
func TestWithoutCapability(t *testing.T) {
	result := make(chan error)
	go func() { result <- unprivileged(t) }()
	err := <-result
	if !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "CAP_NET_ADMIN is needed") {
		t.Errorf("the error does not say what is missing: %v", err)
	}
}

// unprivileged adds a route on a thread that gives its capabilities up and
// ends afterwards.
func unprivileged(t *testing.T) error {
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return err
	}
	k, err := kernel.New(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = k.Close() }()
	if _, err := k.Observe(t.Context(), netstate.Scope{Networks: networks}, netstate.AllKinds); err != nil {
		return err
	}
	r := rows(t, "route 10.5.2.0/24 dev lo").Routes.Slice()[0]
	return k.Apply(t.Context(), []netstate.Op{{Verb: netstate.Add, Row: r}})[0]
}

func TestReadOnlyProcSys(t *testing.T) {
	ns := newHost(t)
	a := newAgent(t, ns, networks...)
	const sys = "/proc/sys"
	if err := unix.Mount(sys, sys, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(sys, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	if err := unix.Mount("", sys, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	const row = "sysctl net/ipv4/ip_forward 1"
	if err := a.add(row)[row]; !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("the error does not say that /proc/sys is read-only: %v", err)
	}
	if failed := a.add("sysctl net/ipv4/ip_forward 0"); len(failed) != 0 {
		t.Errorf("a value that is right already was written: %v", failed)
	}
}
