package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// backlog is how many connections wait to be accepted; there is one at a time.
const backlog = 16

// connections makes TCP connections, one after the other, for d and returns
// how many a second there are, see pace: opened, accepted, reset.
func connections(w way, d time.Duration) (rate float64, err error) {
	server, at, err := w.receiver(unix.SOCK_STREAM)
	if err != nil {
		return 0, err
	}
	defer unix.Close(server)
	if err := unix.Listen(server, backlog); err != nil {
		return 0, fmt.Errorf("listen at %s: %w", w.addr, err)
	}
	err = w.from.Do(func() error {
		rate, err = pace(d, func() error { return w.connectOnce(server, at) })
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("connect to %s: %w", w.addr, err)
	}
	return rate, nil
}

// connectOnce must run in the namespace that the way begins in.
func (w way) connectOnce(server int, at unix.Sockaddr) error {
	client, err := socket(unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	defer unix.Close(client)
	// A reset leaves no port behind that cannot be used for a minute.
	if err := unix.SetsockoptLinger(client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return err
	}
	if err := again(func() error { return unix.Connect(client, at) }); err != nil {
		return err
	}
	var accepted int
	var from unix.Sockaddr
	err = again(func() (err error) {
		accepted, from, err = unix.Accept4(server, unix.SOCK_CLOEXEC)
		return err
	})
	if err != nil {
		return err
	}
	defer unix.Close(accepted) // after the client, which is what sends the reset
	return w.cameFrom(from)
}
