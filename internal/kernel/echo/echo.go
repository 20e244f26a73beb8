package echo

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// Errors of Send that say something of the way that the packet was to take.
var (
	ErrTooBig = errors.New("the packet is larger than the device carries")
	ErrNoWay  = errors.New("no route, neighbour or device leads there")
)

// Request is an echo request. The kernel chooses its route, unless there is a
// Dev.
type Request struct {
	Seq          uint16
	Size         int // bytes of the IP packet
	Source, Dest netip.Addr
	VRF          string // whose routes are used; "": the main ones

	Dev  string       // the device that the packet leaves by, without a route
	MAC  netstate.MAC // whom the frame is for; zero: the neighbour Next on Dev
	Next netip.Addr
}

// Answer is a reply.
type Answer struct {
	Seq  uint16
	From netip.Addr
	RTT  time.Duration // by the clock of the system: may be anything if that was set
}

// Conn sends requests and receives the answers. It is for one goroutine, and
// belongs to the network namespace of the thread that opened it.
type Conn struct {
	id      uint16
	mark    [markSize]byte
	raw     [2]int // IPv4, IPv6; -1 if the kernel does not have it
	frames  int
	link    *rtnl.Conn
	buf     []byte
	control []byte
}

// Open opens the sockets. It takes CAP_NET_RAW: the error is os.ErrPermission
// without.
func Open() (*Conn, error) {
	c := &Conn{raw: [2]int{-1, -1}, frames: -1, buf: make([]byte, 0, 1<<16), control: make([]byte, 256)}
	_, _ = rand.Read(c.mark[:]) // never fails
	c.id = binary.BigEndian.Uint16(c.mark[:])
	if err := c.open(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Conn) open() (err error) {
	if c.raw[0], err = openRaw(false, c.id); err != nil {
		return err
	}
	if c.raw[1], err = openRaw(true, c.id); err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
		return err
	}
	if c.frames, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return fmt.Errorf("open a socket for frames: %w", err)
	}
	c.link, err = rtnl.Open()
	return err
}

// Close closes the sockets.
func (c *Conn) Close() error {
	var errs []error
	for _, fd := range []int{c.raw[0], c.raw[1], c.frames} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	if c.link != nil {
		errs = append(errs, c.link.Close())
	}
	return errors.Join(errs...)
}

// Send sends a request. The error wraps ErrTooBig or ErrNoWay where one of
// these is why it did not leave.
func (c *Conn) Send(r Request) error {
	err := c.send(r)
	if err == nil {
		return nil
	}
	return fmt.Errorf("send an echo request of %d bytes to %s: %w", r.Size, r.Dest, meaning(err))
}

// meaning tells what an error of the kernel says of the way.
func meaning(err error) error {
	switch {
	case errors.Is(err, unix.EMSGSIZE):
		return fmt.Errorf("%w: %w", ErrTooBig, err)
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETDOWN), errors.Is(err, unix.ENODEV),
		errors.Is(err, unix.ENXIO), errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: %w", ErrNoWay, err)
	}
	return err
}

func (c *Conn) send(r Request) error {
	m := message{ID: c.id, Seq: r.Seq, Mark: c.mark, Sent: time.Now().UnixNano()}
	if r.Dev != "" {
		return c.sendFrame(r, m)
	}
	index, err := c.indexOf(r.VRF)
	if err != nil {
		return err
	}
	fd := c.raw[0]
	if r.Dest.Is6() {
		fd = c.raw[1]
	}
	if fd < 0 {
		return ErrNoWay
	}
	c.buf = appendICMP(c.buf[:0], m, r.Source, r.Dest, r.Size)
	_, err = unix.SendmsgN(fd, c.buf, sourceOf(r.Source, index), sockaddr(r.Dest), unix.MSG_DONTWAIT)
	return err
}

// sendFrame sends a packet by a device, to the MAC of the one that is to
// receive it.
func (c *Conn) sendFrame(r Request, m message) error {
	index, err := c.indexOf(r.Dev)
	if err != nil {
		return err
	}
	mac := r.MAC
	if mac == (netstate.MAC{}) {
		if mac, err = c.neighbour(r.Next, index); err != nil {
			return err
		}
	}
	to := &unix.SockaddrLinklayer{Protocol: network(unix.ETH_P_IP), Ifindex: int(index), Halen: uint8(len(mac))}
	if r.Dest.Is6() {
		to.Protocol = network(unix.ETH_P_IPV6)
	}
	copy(to.Addr[:], mac[:])
	c.buf = appendPacket(c.buf[:0], m, r.Source, r.Dest, r.Size)
	return unix.Sendto(c.frames, c.buf, unix.MSG_DONTWAIT, to)
}

// network returns a number in network byte order.
func network(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}

// indexOf returns the index of a device, 0 of none.
func (c *Conn) indexOf(dev string) (int32, error) {
	if dev == "" {
		return 0, nil
	}
	req, err := unix.NewIfreq(dev)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(c.frames, unix.SIOCGIFINDEX, req); err != nil {
		return 0, err
	}
	return int32(req.Uint32()), nil
}

// Receive calls yield with the answers that have arrived, and does not wait.
func (c *Conn) Receive(yield func(Answer)) {
	for i, fd := range c.raw {
		if fd >= 0 {
			c.receive(fd, i == 1, yield)
		}
	}
}

func (c *Conn) receive(fd int, v6 bool, yield func(Answer)) {
	buf := c.buf[:cap(c.buf)]
	for {
		n, size, _, from, err := unix.Recvmsg(fd, buf, c.control, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return // nothing more, or nothing that the next call would not tell
		}
		m, ok := parseReply(buf[:n], v6)
		if !ok || m.ID != c.id || m.Mark != c.mark {
			continue
		}
		at := arrival(c.control[:size], time.Now())
		yield(Answer{Seq: m.Seq, From: addrOf(from), RTT: time.Duration(at.UnixNano() - m.Sent)})
	}
}

// Wait waits until an answer has arrived, for d at most.
func (c *Conn) Wait(d time.Duration) {
	var fds []unix.PollFd
	for _, fd := range c.raw {
		if fd >= 0 {
			fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
	}
	_, _ = unix.Poll(fds, int(max(d, 0).Round(time.Millisecond)/time.Millisecond)) // whatever it says, Receive finds out
}
