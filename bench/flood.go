package main

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// atOnce is how many packets one system call sends; the receiver's buffer
// holds them all.
const atOnce = 64

// payload of a packet, in bytes: rules cost the same for long ones, and
// show the most with short ones. fullPayload makes the largest packet that a pod
// can send by a tunnel.
const (
	payload     = 64
	fullPayload = 1450 - 28
)

// mmsghdr is struct mmsghdr of sys/socket.h.
type mmsghdr struct {
	head unix.Msghdr
	size uint32
}

// burst is memory for so many packets.
type burst struct {
	headers [atOnce]mmsghdr
	vectors [atOnce]unix.Iovec
	data    [atOnce][fullPayload]byte
}

func newBurst(size int) *burst {
	b := new(burst)
	for i := range b.headers {
		b.vectors[i].Base = &b.data[i][0]
		b.vectors[i].SetLen(size)
		b.headers[i].head.Iov = &b.vectors[i]
		b.headers[i].head.SetIovlen(1)
	}
	return b
}

// move sends or receives up to n packets with sendmmsg(2) or recvmmsg(2).
func (b *burst) move(call uintptr, fd, n, flags int) (done int, err error) {
	err = again(func() error {
		r, _, errno := unix.Syscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&b.headers[0])), uintptr(n), uintptr(flags), 0, 0)
		if errno != 0 {
			return errno
		}
		done = int(r)
		return nil
	})
	return done, err
}

// flood sends packets of one flow for d, each with size bytes, and returns how many a second
// arrive, see pace. One thread sends a burst and takes it in before it sends
// more, so that it measures the way and not how two threads share CPUs.
func flood(w way, size int, d time.Duration) (float64, error) {
	in, at, err := w.receiver(unix.SOCK_DGRAM)
	if err != nil {
		return 0, err
	}
	defer unix.Close(in)
	if err := unix.SetsockoptInt(in, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20); err != nil { // a burst of full packets
		return 0, err
	}
	out, err := open(w.from, unix.SOCK_DGRAM)
	if err != nil {
		return 0, err
	}
	defer unix.Close(out)
	if err := unix.Connect(out, at); err != nil {
		return 0, fmt.Errorf("connect to %s: %w", w.addr, err)
	}
	if err := w.firstPacket(out, in); err != nil {
		return 0, err
	}
	b := newBurst(size)
	bursts, err := pace(d, func() error { return b.pass(out, in) })
	if err != nil {
		return 0, fmt.Errorf("packets to %s: %w", w.addr, err)
	}
	return atOnce * bursts, nil
}

// firstPacket opens the flow, ahead of the clock, and looks at its source.
func (w way) firstPacket(out, in int) error {
	if _, err := unix.Write(out, make([]byte, payload)); err != nil {
		return fmt.Errorf("send to %s: %w", w.addr, err)
	}
	var from unix.Sockaddr
	err := again(func() (err error) {
		_, from, err = unix.Recvfrom(in, make([]byte, payload), 0)
		return err
	})
	if err != nil {
		return fmt.Errorf("receive at %s: %w", w.addr, err)
	}
	return w.cameFrom(from)
}

// pass sends a burst and takes it in.
func (b *burst) pass(out, in int) error {
	for sent := 0; sent < atOnce; {
		n, err := b.move(unix.SYS_SENDMMSG, out, atOnce-sent, 0)
		if err != nil {
			return err
		}
		sent += n
	}
	for arrived := 0; arrived < atOnce; {
		n, err := b.move(unix.SYS_RECVMMSG, in, atOnce-arrived, unix.MSG_WAITFORONE)
		if err == unix.EAGAIN {
			return fmt.Errorf("%d of %d were lost", atOnce-arrived, atOnce)
		}
		if err != nil {
			return err
		}
		arrived += n
	}
	return nil
}
