package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrClosed is returned for work handed to a namespace that is closed.
var ErrClosed = errors.New("the network namespace is closed")

// NS is one network namespace, with a host name of its own. It lives as long as one thread of this
// process does, and everything that Start started in it dies with it, so neither a crash nor SIGKILL
// leaves anything behind. Its methods may be called from any goroutine.
type NS struct {
	hostname string
	file     *os.File // the namespace itself, kept open so that devices can be moved into it
	foreign  bool     // it was opened, not made
	work     chan task
	stop     chan struct{}
	stopOnce sync.Once
	stopped  chan struct{} // closed when the thread will take no more work
}

type task struct {
	run  func() error
	done chan error
}

// Open enters a network namespace that another program made, such as a pod's; path names it. Close
// leaves it and its processes as they are, but for those that Start started.
func Open(hostname, path string) (*NS, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the network namespace of %s: %w", hostname, err)
	}
	ns, err := start(&NS{hostname: hostname, file: file, foreign: true}, func() error {
		return os.NewSyscallError("setns", unix.Setns(int(file.Fd()), unix.CLONE_NEWNET))
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("enter the network namespace %s of %s: %w", path, hostname, err), file.Close())
	}
	return ns, nil
}

// New makes an empty network namespace whose processes see hostname as their host's name. The
// loopback device is up. The caller must Close it.
func New(hostname string) (*NS, error) {
	ns := &NS{hostname: hostname}
	ns, err := start(ns, ns.unshare)
	if err != nil {
		return nil, fmt.Errorf("make a network namespace for %s: %w", hostname, err)
	}
	return ns, nil
}

// start runs the thread of ns, which enter moves into the namespace.
func start(ns *NS, enter func() error) (*NS, error) {
	ns.work, ns.stop, ns.stopped = make(chan task), make(chan struct{}), make(chan struct{})
	ready := make(chan error)
	go onOwnThread(func() { ns.serve(ready, enter) })
	if err := <-ready; err != nil {
		<-ns.stopped
		return nil, err
	}
	return ns, nil
}

// onOwnThread runs f on a thread that nothing else runs on and that ends with f. The main thread
// cannot end, so there f is handed to another one while the main thread waits.
func onOwnThread(f func()) {
	runtime.LockOSThread() // never unlocked: a thread in a foreign namespace must not be reused
	if unix.Gettid() != unix.Getpid() {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		onOwnThread(f)
	}()
	<-done
	runtime.UnlockOSThread()
}

// serve moves the calling thread into the namespace and then runs tasks until Close.
func (ns *NS) serve(ready chan<- error, enter func() error) {
	defer close(ns.stopped)
	err := enter()
	ready <- err
	if err != nil {
		return
	}
	for {
		select {
		case <-ns.stop:
			return
		case t := <-ns.work:
			t.done <- t.run()
		}
	}
}

func (ns *NS) unshare() error {
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWUTS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Sethostname([]byte(ns.hostname)); err != nil {
		return fmt.Errorf("set its host name: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	file, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("open it: %w", err)
	}
	ns.file = file
	return nil
}

// Hostname is the name that processes in the namespace see.
func (ns *NS) Hostname() string { return ns.hostname }

// FD is a descriptor of the namespace, for moving devices into it. It is valid until Close.
func (ns *NS) FD() int { return int(ns.file.Fd()) }

// Path names the namespace for other processes of this user, as container runtimes name those of
// their containers. It is valid until Close.
func (ns *NS) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.file.Fd()) }

// Do runs f in the namespace and returns its error. Sockets that f opens and files under
// /proc/sys/net that it reads or writes are the namespace's, also later and from elsewhere.
// Goroutines that f starts run outside. Calls run one after another, so f must not call Do of the
// same namespace, nor wait for long.
func (ns *NS) Do(f func() error) error {
	t := task{run: f, done: make(chan error, 1)}
	select {
	case <-ns.stopped:
		return fmt.Errorf("%s: %w", ns.hostname, ErrClosed)
	case ns.work <- t:
		return <-t.done
	}
}

// Start starts cmd in the namespace. The caller waits for it as usual. The process is killed when
// the namespace is closed or this process ends.
func (ns *NS) Start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	return ns.Do(cmd.Start)
}

// Close kills every process in the namespace, unless it was opened, and gives the namespace up; the kernel removes its
// devices. Commands that Start started still have to be waited for by their owner. A second call
// does nothing.
func (ns *NS) Close() error {
	var err error
	ns.stopOnce.Do(func() {
		close(ns.stop)
		<-ns.stopped
		if !ns.foreign {
			err = killMembers(ns.file)
		}
		err = errors.Join(err, ns.file.Close())
	})
	return err
}
