// Package absence is the short list of what a machine that runs the tests may
// lack. A test that needs one of these and does not find it is skipped with
// the reason; a test that lacks anything else fails. It is for tests alone.
package absence

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// capBPF is CAP_BPF of linux/capability.h.
const capBPF = 39

// BPF skips t where eBPF programs cannot be loaded: bpf(2) asks for CAP_BPF of
// the first user namespace, which root of another one, as the other tests are,
// has not got. Root has it, and so has root of the guests of test/kernels.
func BPF(t testing.TB) {
	t.Helper()
	if !haveBPF() {
		t.Skip("absent: CAP_BPF of the first user namespace (run this test as root)")
	}
}

// Tcx skips t as BPF does, and on kernels without tcx hooks, which Linux 6.6 brought.
func Tcx(t testing.TB) {
	t.Helper()
	BPF(t)
	var uts unix.Utsname
	var major, minor int
	if err := unix.Uname(&uts); err != nil {
		t.Fatal(err)
	}
	release := unix.ByteSliceToString(uts.Release[:])
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		t.Fatalf("kernel %q: %v", release, err)
	}
	if major < 6 || major == 6 && minor < 6 {
		t.Skipf("absent: tcx hooks, on Linux %s", release)
	}
}

// VLAN skips t on kernels without VLAN devices (CONFIG_VLAN_8021Q). It needs a network
// namespace of the test's own.
func VLAN(t testing.TB) {
	t.Helper()
	if out, err := exec.Command("ip", "link", "add", "link", "lo", "name", "absent", "type", "vlan", "id", "5").CombinedOutput(); err != nil {
		t.Skipf("absent: VLAN devices: %s", out)
	}
	if out, err := exec.Command("ip", "link", "del", "absent").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// IPIP skips t where the kernel has no ipip devices: its module is not there, or cannot be
// loaded. The kernels of test/kernels have it.
func IPIP(t testing.TB) {
	t.Helper()
	if !haveIPIP() {
		t.Skip("absent: ipip devices of the kernel (load the module: modprobe ipip)")
	}
}

// Conditions are what scripts of test/e2e ask for, by its name there: "[!ipip] skip REASON".
var Conditions = map[string]func() bool{"ipip": haveIPIP}

// haveIPIP reports whether the kernel has ipip devices, and loads their module if it may.
func haveIPIP() bool {
	if _, err := os.Stat("/sys/module/ipip"); err == nil {
		return true
	}
	return exec.Command("modprobe", "--quiet", "ipip").Run() == nil
}

// haveBPF asks for what every loader needs first, a map.
func haveBPF() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil || data[capBPF/32].Effective&(1<<(capBPF%32)) == 0 {
		return false
	}
	return inFirstUserNamespace()
}
