package rtnl

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// listenBuffer is the size asked for to hold notifications, in bytes: some
// ten thousand of them. Without CAP_NET_ADMIN the kernel grants less.
const listenBuffer = 8 << 20

// Listener is a socket for notifications, bound to the network namespace of
// the thread that opened it.
type Listener struct {
	file *os.File
	buf  []byte
}

// Listen subscribes to groups of rtnetlink (RTNLGRP_*). What the socket with the port id
// except did itself is not reported: the kernel drops it before it costs
// anything. 0 excepts nothing but news that nobody asked for.
func Listen(except uint32, groups ...int) (*Listener, error) {
	return listen(unix.NETLINK_ROUTE, except, groups)
}

// ListenNetfilter does so for groups of the firewall (NFNLGRP_*).
func ListenNetfilter(except uint32, groups ...int) (*Listener, error) {
	return listen(unix.NETLINK_NETFILTER, except, groups)
}

func listen(protocol int, except uint32, groups []int) (*Listener, error) {
	fd, _, err := socket(protocol, unix.SOCK_NONBLOCK)
	if err != nil {
		return nil, err
	}
	if err := subscribe(fd, except, groups); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return &Listener{file: os.NewFile(uintptr(fd), "netlink"), buf: make([]byte, readSize)}, nil
}

func subscribe(fd int, except uint32, groups []int) error {
	setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, listenBuffer)
	if except != 0 {
		if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, notFrom(except)); err != nil {
			return failed("filter notifications", err)
		}
	}
	for _, g := range groups {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g); err != nil && err != unix.EINVAL {
			return failed("subscribe to notifications", err) // EINVAL: a group that this kernel does not have
		}
	}
	return nil
}

// notFrom is a classic BPF program (linux/filter.h) that refuses messages
// whose nlmsg_pid, at byte 12 of the header, is pid.
func notFrom(pid uint32) *unix.SockFprog {
	var raw [4]byte
	native.PutUint32(raw[:], pid) // BPF loads words in network byte order
	wire := uint32(raw[0])<<24 | uint32(raw[1])<<16 | uint32(raw[2])<<8 | uint32(raw[3])
	prog := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 12},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: wire, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
	}
	return &unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
}

// Close closes the socket.
func (l *Listener) Close() error { return l.file.Close() }

// Messages yields notifications until ctx ends. Among them it yields ErrLost
// whenever the kernel had to drop some; any other error is the last it yields.
func (l *Listener) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		stop := context.AfterFunc(ctx, func() { _ = l.file.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
		for {
			n, err := l.file.Read(l.buf)
			switch {
			case ctx.Err() != nil:
				return
			case errors.Is(err, unix.ENOBUFS):
				err = ErrLost
			case errors.Is(err, io.EOF):
				err = nil
			}
			if err != nil && !yield(Message{}, err) {
				return
			}
			if err != nil && !errors.Is(err, ErrLost) {
				return
			}
			if err == nil && !each(l.buf[:n], yield) {
				return
			}
		}
	}
}

// each yields the messages of one datagram.
func each(data []byte, yield func(Message, error) bool) bool {
	for len(data) > 0 {
		m, rest, err := cut(data)
		if err != nil {
			return yield(Message{}, ErrLost)
		}
		if !yield(m, nil) {
			return false
		}
		data = rest
	}
	return true
}
