// Package wguser carries a WireGuard device in user space, for kernels without
// WireGuard. It is a process of its own, which outlives the agent that starts it: a
// restart, an upgrade or the sudden end of an agent costs no packet. It knows
// nothing of networks, plans or stores: whoever speaks to its control socket tells it
// keys and peers. It must not write a key anywhere.
package wguser

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"

	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"
)

const (
	// defaultMTU is that of a device that is made, until it is told another, in bytes.
	defaultMTU = 1420

	// memory is what the process may use before it collects its garbage in earnest, in
	// bytes: its pools of packets know no bound of their own.
	memory = 96 << 20
)

// Run carries the device until ctx ends, the device is removed, or the control socket is. It
// calls ready when the socket answers. The device stays when Run returns, with all that
// stands on it: the next process takes it over.
func Run(ctx context.Context, name, socket string, ready func()) error {
	debug.SetMemoryLimit(memory)
	dev, err := tun.CreateTUN(name, mtuOf(name))
	if err != nil {
		return fmt.Errorf("open device %s (is /dev/net/tun there, and does no other process carry it?): %w", name, err)
	}
	if err := persist(dev); err != nil {
		return errors.Join(fmt.Errorf("keep device %s beyond this process: %w", name, err), dev.Close())
	}
	silent := &device.Logger{Verbosef: device.DiscardLogf, Errorf: logf}
	wg := device.NewDevice(dev, conn.NewDefaultBind(), silent)
	defer wg.Close()
	listener, err := listen(socket)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // it also ends serve
	gone, err := watch(ctx, socket)
	if err != nil {
		return err
	}
	go serve(listener, wg)
	ready()
	select {
	case <-ctx.Done():
		return nil
	case <-gone:
		return nil
	case <-wg.Wait():
		return nil
	}
}

// mtuOf keeps the MTU of a device that is there.
func mtuOf(name string) int {
	if i, err := net.InterfaceByName(name); err == nil {
		return i.MTU
	}
	return defaultMTU
}

// persist has the kernel keep the device when the process ends.
func persist(dev tun.Device) error {
	raw, err := dev.File().SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.IoctlSetInt(int(fd), unix.TUNSETPERSIST, 1) })
	return errors.Join(err, failed)
}

// listen opens the control socket, which its owner alone can use, in place of one that an
// earlier process has left.
func listen(socket string) (net.Listener, error) {
	if err := os.Mkdir(filepath.Dir(socket), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("close the control socket to others: %w", err), listener.Close())
	}
	return listener, nil
}

// serve answers until the listener is closed. Whoever asks is trusted, and few do.
func serve(listener net.Listener, wg *device.Device) {
	for {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		go wg.IpcHandle(c)
	}
}

func logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// watch returns a channel that is closed when the socket's file is removed or replaced:
// nobody can reach the process any more then.
func watch(ctx context.Context, socket string) (<-chan struct{}, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch the control socket: %w", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, socket, unix.IN_ATTRIB|unix.IN_DELETE_SELF); err != nil {
		return nil, errors.Join(fmt.Errorf("watch the control socket: %w", err), events.Close())
	}
	stop := context.AfterFunc(ctx, func() { _ = events.Close() }) // which ends the read
	gone := make(chan struct{})
	go func() {
		defer stop()
		defer close(gone)
		buf := make([]byte, unix.SizeofInotifyEvent+unix.NAME_MAX+1)
		for {
			_, err := events.Read(buf)
			if _, lost := os.Lstat(socket); err != nil || lost != nil {
				return
			}
		}
	}()
	return gone, nil
}
