package kernel

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// Commands of linux/ethtool.h: whether a device leaves checksums to hardware, of
// whatever protocol. Kernels of all ages have them.
const (
	getTxChecksum = unix.ETHTOOL_GTXCSUM
	setTxChecksum = unix.ETHTOOL_STXCSUM
)

// ethtoolValue is struct ethtool_value of linux/ethtool.h.
type ethtoolValue struct{ command, value uint32 }

// ethtoolRequest is struct ifreq of linux/if.h with a pointer in its union, which is
// 24 bytes at most.
type ethtoolRequest struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// ethtool carries out a command on a device of the calling thread's namespace, and
// returns the value that the kernel answers with.
func ethtool(dev string, command, value uint32) (uint32, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		return 0, fmt.Errorf("open a socket: %w", err)
	}
	v := &ethtoolValue{command, value}
	req := ethtoolRequest{data: unsafe.Pointer(v)}
	if len(dev) >= len(req.name) {
		return 0, errors.Join(unix.EINVAL, unix.Close(fd))
	}
	copy(req.name[:], dev)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	err = unix.Close(fd)
	if errno != 0 {
		return 0, errno
	}
	return v.value, err
}

// offloads finds out on which of our devices tx-checksumming is off.
func (o *observer) offloads() error {
	o.state.Offloads = nil
	return o.ns.do(func() error {
		for _, dev := range o.own {
			off, err := checksumsHere(dev)
			if err != nil {
				return err
			}
			if off {
				o.state.Offloads = append(o.state.Offloads, netstate.Offload{Dev: dev})
			}
		}
		return nil
	})
}

// checksumsHere reports whether the kernel completes the checksums of what leaves
// by a device. Of one that is gone meanwhile, or that knows nothing of it, it says no.
func checksumsHere(dev string) (bool, error) {
	on, err := ethtool(dev, getTxChecksum, 0)
	switch {
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.EOPNOTSUPP):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("ask whether tx-checksumming of %s is on: %w", dev, err)
	}
	return on == 0, nil
}

// offload turns tx-checksumming of a device off, or on again. A device that is not
// ours stays as it is.
func (a *applier) offload(op netstate.Op) error {
	dev, want := op.Row.(netstate.Offload).Dev, op.Verb == netstate.Remove
	l, found, err := a.devs.named(dev)
	switch {
	case err != nil:
		return err
	case found && l.Foreign():
		return foreignDevice(l)
	}
	return a.ns.do(func() error {
		if off, err := checksumsHere(dev); err != nil || off != want && found {
			return err
		}
		on := map[bool]uint32{true: 1}[want]
		if _, err := ethtool(dev, setTxChecksum, on); err != nil {
			return err
		}
		if off, err := checksumsHere(dev); err != nil || off != want {
			return err
		}
		return errors.New("the kernel keeps it as it is")
	})
}

// offloadEvent tells how tx-checksumming of a device of ours is. The message of a
// device that has changed does not have it, and is all that the kernel says when it
// changes.
func (w *watcher) offloadEvent(dev string, m rtnl.Message) (e netstate.Event, ok bool) {
	w.mu.Lock() // after a pass that is under way, see finished
	defer w.mu.Unlock()
	err := w.ns.do(func() error {
		off, err := checksumsHere(dev)
		e = netstate.Event{Row: netstate.Offload{Dev: dev}, Gone: !off, PID: m.PID}
		return err
	})
	return e, err == nil
}
