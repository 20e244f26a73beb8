package echo

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Marked is a packet with random bytes in it, by which it is known on the wire wherever
// these travel in clear.
type Marked struct{ Source, Dest netip.Addr }

// Found is what became of a marked packet, and of the answer to it.
type Found struct {
	Err      error // why it was not sent
	Answered bool
	Clear    []string // the devices on which the marked bytes were seen in clear
}

// Size of marked packets, and how large a frame can be in which one is, or that it
// cannot be told apart from: with headers of VXLAN and Ethernet around it.
const (
	markedSize = 173 // seldom, so that few frames of others are looked at
	markedMost = markedSize + 128
)

const (
	markedTries = 3
	markedWait  = time.Second // for an answer, after each try
)

// SendMarked sends marked packets by the routes that the kernel takes, and watches all devices
// but those of hidden, by which packets go that are encrypted afterwards. missed counts
// frames that came too fast to be looked at.
func SendMarked(ctx context.Context, packets []Marked, hidden []string) (found []Found, missed int, err error) {
	if len(packets) > math.MaxUint16 {
		return nil, 0, fmt.Errorf("%d marked packets are too many", len(packets))
	}
	conn, err := Open()
	if err != nil {
		return nil, 0, err
	}
	tap, err := openTap(conn.mark)
	if err != nil {
		return nil, 0, errors.Join(err, conn.Close())
	}
	found = make([]Found, len(packets))
	for range markedTries {
		tap.round(ctx, conn, packets, found, hidden)
	}
	missed, err = tap.missed()
	return found, missed, errors.Join(err, tap.close(), conn.Close())
}

// tap sees the frames of all devices that may have a mark.
type tap struct {
	fd   int
	mark [markSize]byte
	buf  []byte
	dev  map[int]string
}

func openTap(mark [markSize]byte) (*tap, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0) // 0: none before the filter stands
	if err != nil {
		return nil, fmt.Errorf("open a socket for the frames of all devices: %w", err)
	}
	const accept = markedMost
	err = errors.Join(
		attach(fd, []unix.SockFilter{
			{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_LEN},
			{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: markedSize, Jf: 2},
			{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: markedMost, Jt: 1},
			{Code: unix.BPF_RET | unix.BPF_K, K: accept},
			{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: network(unix.ETH_P_ALL)}))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watch the frames of all devices: %w", err), unix.Close(fd))
	}
	return &tap{fd: fd, mark: mark, buf: make([]byte, markedMost), dev: map[int]string{}}, nil
}

func (t *tap) close() error { return unix.Close(t.fd) }

// missed returns how many frames there was no room for.
func (t *tap) missed() (int, error) {
	stats, err := unix.GetsockoptTpacketStats(t.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, fmt.Errorf("count the frames that were not seen: %w", err)
	}
	return int(stats.Drops), nil
}

// round sends those of packets that are neither answered nor seen in clear, and waits for
// what becomes of them.
func (t *tap) round(ctx context.Context, conn *Conn, packets []Marked, found []Found, hidden []string) {
	waiting := false
	for i, p := range packets {
		if f := &found[i]; !f.Answered && len(f.Clear) == 0 {
			f.Err = conn.Send(Request{Seq: uint16(i), Size: markedSize, Source: p.Source, Dest: p.Dest})
			waiting = waiting || f.Err == nil
		}
	}
	for end := time.Now().Add(markedWait); waiting && ctx.Err() == nil && time.Now().Before(end); {
		fds := []unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}
		for _, fd := range conn.raw {
			if fd >= 0 {
				fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
			}
		}
		_, _ = unix.Poll(fds, int(time.Until(end)/time.Millisecond)+1) // whatever it says, what follows finds out
		t.look(found, hidden)
		conn.Receive(func(a Answer) {
			if int(a.Seq) < len(found) {
				found[a.Seq].Answered = true
			}
		})
		t.look(found, hidden) // an answer's own frame has come before it
		waiting = slices.ContainsFunc(found, func(f Found) bool { return f.Err == nil && !f.Answered && len(f.Clear) == 0 })
	}
}

// look notes the marks in the frames that have come.
func (t *tap) look(found []Found, hidden []string) {
	for {
		n, from, err := unix.Recvfrom(t.fd, t.buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		seq, marked := markIn(t.buf[:n], t.mark)
		if !ok || !marked || int(seq) >= len(found) {
			continue
		}
		name := t.name(link.Ifindex)
		if f := &found[seq]; !slices.Contains(hidden, name) && !slices.Contains(f.Clear, name) {
			f.Clear = append(f.Clear, name)
		}
	}
}

// markIn returns the number of the packet whose mark is in a frame. It stands before
// the mark, see message.
func markIn(frame []byte, mark [markSize]byte) (seq uint16, found bool) {
	i := bytes.Index(frame, mark[:])
	if i < 2 {
		return 0, false
	}
	return binary.BigEndian.Uint16(frame[i-2:]), true
}

// name is the name of a device, its number if it is gone.
func (t *tap) name(index int) string {
	if name, known := t.dev[index]; known {
		return name
	}
	name := fmt.Sprintf("device %d", index)
	if l, err := net.InterfaceByIndex(index); err == nil {
		name = l.Name
	}
	t.dev[index] = name
	return name
}
