package podlink

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// inside runs f on a thread of its own in the network namespace ns, and gives
// the thread up after that: nothing else shall ever run there.
func inside(ns int, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the pod's network namespace: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

// OpenNamespace opens the network namespace at path, and refuses what is none.
// The caller closes it with unix.Close.
func OpenNamespace(path string) (int, error) {
	// A file that is no namespace, a pipe for instance, must not be waited for.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("open network namespace %s: %w", path, err)
	}
	kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil || kind != unix.CLONE_NEWNET {
		_ = unix.Close(fd) // it was only looked at
		return -1, fmt.Errorf("%s is not a network namespace", path)
	}
	return fd, nil
}
