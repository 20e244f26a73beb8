package podlink

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// setHost6 says how far the host's end takes part in IPv6, ahead of its first
// packet. It never heeds router advertisements: a pod could make itself the
// host's way out by one. The end of a pod without an IPv6 address has nothing
// to do with it.
func (l Link) setHost6() error {
	if !l.has6() {
		err := set6(l.Host, "disable_ipv6", "1")
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nor has the kernel
		}
		return err
	}
	if err := set6(l.Host, "disable_ipv6", "0"); err != nil {
		return err
	}
	return set6(l.Host, "accept_ra", "0")
}

// setPod6 lets the pod's end have IPv6 addresses: runtimes switch them off in
// namespaces that they think have none.
func (l Link) setPod6() error {
	if !l.has6() {
		return nil
	}
	if err := set6(l.Pod, "disable_ipv6", "0"); err != nil {
		return err
	}
	return set6(l.Pod, "ndisc_notify", "1") // see encodeNotify
}

// set6 writes a kernel parameter of a device in the calling thread's
// namespace. Netlink has no message for these.
func set6(dev, name, value string) error {
	err := os.WriteFile(filepath.Join("/proc/sys/net/ipv6/conf", dev, name), []byte(value), 0)
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: /proc/sys must be writable where the container runtime runs", err)
	case err != nil:
		return fmt.Errorf("set a kernel parameter of %s: %w", dev, err)
	}
	return nil
}
