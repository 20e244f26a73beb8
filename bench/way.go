package main

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// way is where packets go, and who they are from on arrival.
type way struct {
	from   place
	source netip.Addr // as seen by the receiver
	to     place
	addr   netip.Addr // of to
}

// place is a network namespace.
type place interface{ Do(func() error) error }

// patience is how long a socket waits for a packet that may be lost.
const patience = 200 * time.Millisecond

// open makes a socket in n's namespace that does not wait for ever. It is
// a bare descriptor, since Go's own sockets add more to a packet than some
// rules do.
func open(n place, kind int) (fd int, err error) {
	err = n.Do(func() error {
		fd, err = socket(kind)
		return err
	})
	return fd, err
}

// socket is open in the calling thread's namespace.
func socket(kind int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	limit := unix.NsecToTimeval(patience.Nanoseconds())
	for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &limit); err != nil {
			_ = unix.Close(fd)
			return -1, err
		}
	}
	return fd, nil
}

// again calls f until no signal interrupts it; Go's runtime sends some to any
// thread that works for long.
func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// receiver opens a socket at the way's end.
func (w way) receiver(kind int) (fd int, at *unix.SockaddrInet4, err error) {
	if fd, err = open(w.to, kind); err != nil {
		return -1, nil, err
	}
	at = &unix.SockaddrInet4{Addr: w.addr.As4()}
	err = unix.Bind(fd, at)
	if err == nil {
		var bound unix.Sockaddr
		if bound, err = unix.Getsockname(fd); err == nil {
			at = bound.(*unix.SockaddrInet4)
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, nil, fmt.Errorf("bind to %s: %w", w.addr, err)
	}
	return fd, at, nil
}

// cameFrom is an error if the receiver saw another source than it should.
func (w way) cameFrom(a unix.Sockaddr) error {
	seen, ok := a.(*unix.SockaddrInet4)
	if !ok || netip.AddrFrom4(seen.Addr) != w.source {
		return fmt.Errorf("%s was reached from %+v, not from %s", w.addr, a, w.source)
	}
	return nil
}
