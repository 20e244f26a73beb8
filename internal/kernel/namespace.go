package kernel

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespace is a handle to a network namespace. Sockets stay where they were
// opened, but opening one, and /proc/sys/net, go by the namespace of the
// thread that does it.
type namespace struct{ file *os.File }

const threadNamespace = "/proc/thread-self/ns/net"

// openNamespace returns the calling thread's namespace.
func openNamespace() (namespace, error) {
	f, err := os.Open(threadNamespace)
	if err != nil {
		return namespace{}, fmt.Errorf("find this thread's network namespace (is /proc mounted?): %w", err)
	}
	return namespace{f}, nil
}

func (n namespace) close() error { return n.file.Close() }

// do runs f on a thread that is in the namespace.
func (n namespace) do(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := n.isHere()
	if err != nil {
		return err
	}
	if here {
		return f()
	}
	done := make(chan error)
	go func() { done <- n.away(f) }()
	return <-done
}

func (n namespace) isHere() (bool, error) {
	here, err := os.Stat(threadNamespace)
	if err != nil {
		return false, fmt.Errorf("find this thread's network namespace: %w", err)
	}
	there, err := n.file.Stat()
	if err != nil {
		return false, fmt.Errorf("look at a network namespace: %w", err)
	}
	return os.SameFile(here, there), nil
}

// away runs f on a thread that it takes into the namespace and back again. A
// thread that cannot go back stays locked and ends with the goroutine.
func (n namespace) away(f func() error) error {
	runtime.LockOSThread()
	home, err := openNamespace()
	if err != nil {
		return err
	}
	defer func() {
		if setns(home) == nil {
			runtime.UnlockOSThread()
		}
		_ = home.close() // read only
	}()
	if err := setns(n); err != nil {
		return err
	}
	return f()
}

func setns(n namespace) error {
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter a network namespace: %w", err)
	}
	return nil
}
