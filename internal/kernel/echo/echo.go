package echo

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

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
	Reflect      bool   // a weft agent that receives it is to answer by the way that it came, beside the kernel, which answers by its routes

	// The packet leaves by Dev without a route; see Way.
	Dev  string
	MAC  netstate.MAC
	Next netip.Addr

	Carrier uint8
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
	frames
	answers *connections
	id      uint16
	mark    [markSize]byte
	raw     [2]int // IPv4, IPv6; -1 if the kernel does not have it
	buf     []byte
	control []byte
	trials  trials
}

// Open opens the sockets. It takes CAP_NET_RAW: the error is os.ErrPermission
// without.
func Open() (*Conn, error) {
	c := &Conn{raw: [2]int{-1, -1}, frames: noFrames, trials: noTrials, buf: make([]byte, 0, 1<<16), control: make([]byte, 256)}
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
	if c.frames, err = openFrames(); err != nil {
		return err
	}
	if c.answers, err = openConnections(); err != nil {
		return err
	}
	c.trials, err = openTrials(c.trialPort())
	return err
}

// Close closes the sockets.
func (c *Conn) Close() error {
	var errs []error
	for _, fd := range c.raw {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	return errors.Join(append(errs, c.trials.close(), c.answers.close(), c.frames.close())...)
}

// Reflect answers the requests of other agents, by sockets of its own; see the
// function Reflect. It may run beside all else.
func (c *Conn) Reflect(ctx context.Context, ways Ways) error { return Reflect(ctx, ways) }

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
	m := message{ID: c.id, Seq: r.Seq, Mark: c.mark, Sent: time.Now().UnixNano(), Reflect: r.Reflect}
	if r.Dev != "" {
		c.answers.expect(r.Source, r.Dest, c.id)
		c.buf = appendPacket(c.buf[:0], m, r.Source, r.Dest, r.Size)
		return c.frames.send(c.buf, r.Dest, Way{r.Dev, r.MAC, r.Next, r.Carrier})
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
