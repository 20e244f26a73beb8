// Package absence is the short list of what a machine that runs the tests may
// lack. A test that needs one of these and does not find it is skipped with
// the reason; a test that lacks anything else fails. It is for tests alone.
package absence

import (
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

// haveBPF asks for what every loader needs first, a map.
func haveBPF() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil || data[capBPF/32].Effective&(1<<(capBPF%32)) == 0 {
		return false
	}
	return inFirstUserNamespace()
}
