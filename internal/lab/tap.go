package lab

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// snapLength is enough for a ping in VXLAN over IPv6.
const snapLength = 256

// Tap listens to all frames of up to 256 bytes that pass a node's device, in both directions. Frames
// wait in a ring until they are read: what was sent before a call of Frames is in its result.
type Tap struct {
	fd   int
	ring *ring
}

// Tap starts listening on dev. The caller must Close it.
func (n *Node) Tap(dev string) (*Tap, error) {
	t := &Tap{fd: -1}
	err := n.link("listen on", dev, func(link netlink.Link) error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open a packet socket: %w", err)
		}
		t.fd = fd
		if t.ring, err = newRing(fd); err != nil {
			return err
		}
		if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, shortFrames()); err != nil {
			return fmt.Errorf("keep long frames out: %w", err)
		}
		everything := bits.ReverseBytes16(unix.ETH_P_ALL)
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: link.Attrs().Index})
	})
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// shortFrames leaves out what is longer than snapLength: a stream beside the pings would fill the
// ring.
func shortFrames() *unix.SockFprog {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_LEN},
		{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: snapLength, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: snapLength},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	return &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
}

// Frames returns the IP frames that passed since the last call. It is an error if the kernel had
// to drop some, since a count of the rest would prove nothing.
func (t *Tap) Frames(vxlanPorts ...uint16) ([]Frame, error) {
	var out []Frame
	t.ring.read(func(data []byte) {
		if f, ok := ParseFrame(data, vxlanPorts...); ok {
			out = append(out, f)
		}
	})
	return out, t.checkDrops()
}

func (t *Tap) checkDrops() error {
	stats, err := unix.GetsockoptTpacketStats(t.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return fmt.Errorf("ask whether captured frames were dropped: %w", err)
	}
	if stats.Drops > 0 {
		return fmt.Errorf("the kernel dropped %d captured frames: call Frames more often", stats.Drops)
	}
	return nil
}

// Close stops listening.
func (t *Tap) Close() error {
	if t.fd < 0 {
		return nil
	}
	err := errors.Join(t.ring.close(), unix.Close(t.fd))
	t.fd = -1
	if err != nil {
		return fmt.Errorf("close the packet socket: %w", err)
	}
	return nil
}
