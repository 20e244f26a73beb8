package netns

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Enter tells whether this process was started by Reexec, and if so prepares its namespaces: mounts
// become private and the loopback device comes up. It removes the mark from the environment, so
// that programs started from here do not run as inner processes.
func Enter() (inside bool, err error) {
	outer, marked := os.LookupEnv(markVariable)
	if !marked {
		return false, nil
	}
	if err := os.Unsetenv(markVariable); err != nil {
		return false, fmt.Errorf("take %s out of the environment: %w", markVariable, err)
	}
	own, err := os.Readlink(selfNetns)
	if err != nil {
		return false, fmt.Errorf("read this process's network namespace: %w", err)
	}
	if own == outer {
		return false, fmt.Errorf("%s=%s is set but names the namespace this process is in: unset it", markVariable, outer)
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return false, explainForbidden(fmt.Errorf("make mounts private: %w", err))
	}
	if err := loopbackUp(); err != nil {
		return false, explainForbidden(err)
	}
	return true, nil
}

// MountTmpfs puts an empty file system over dir, for this process and its children only. Call it
// only in a process that Enter found to be inside.
func MountTmpfs(dir string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mount a tmpfs on %s: %w", dir, err)
	}
	return nil
}

func loopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback device: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring the loopback device up: %w", err)
	}
	return nil
}

// Marked tells whether this process was started by Reexec and has not called Enter yet.
func Marked() bool {
	_, marked := os.LookupEnv(markVariable)
	return marked
}
