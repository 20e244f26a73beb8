package rtnl

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// readSize holds the largest datagram of a dump: the kernel fills at most
	// 32 KiB (netlink_recvmsg in net/netlink/af_netlink.c).
	readSize = 64 << 10

	// chunkBytes and chunkMessages bound one sendmsg: it has to fit the send
	// buffer (208 KiB unless an administrator lowered it), and all goes well
	// with one reply for all.
	chunkBytes    = 128 << 10
	chunkMessages = 4096

	// fewMessages is the size to which a chunk is cut when so many of its
	// messages failed that their replies, about 1 KiB of kernel memory each,
	// overran the receive buffer.
	fewMessages = 64
)

// Conn is a socket for requests, bound to the network namespace of the thread
// that opened it. It must not be used by two goroutines at once.
type Conn struct {
	fd  int
	pid uint32
	seq uint32
	buf []byte
}

// Open opens a socket for requests to rtnetlink.
func Open() (*Conn, error) { return open(unix.NETLINK_ROUTE) }

// OpenNetfilter opens a socket for requests to the kernel's firewall, whose
// messages have the same form. Its buffers are larger than others': a
// transaction has to be sent in one go, and each message of it that is refused
// has an answer.
func OpenNetfilter() (*Conn, error) {
	c, err := open(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	c.SetBuffers(transactionBuffer)
	return c, nil
}

// transactionBuffer is the size asked for, in bytes: some hundred thousand
// addresses, or thousands of refusals. Memory is only taken by what is in it.
const transactionBuffer = 16 << 20

// SetBuffers asks for buffers of that many bytes. Without CAP_NET_ADMIN the
// kernel grants no more than net.core.wmem_max and rmem_max.
func (c *Conn) SetBuffers(size int) {
	setBuffer(c.fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, size)
	setBuffer(c.fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, size)
}

func setBuffer(fd, force, ask, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, ask, size) // a smaller one will do
	}
}

func open(protocol int) (*Conn, error) {
	fd, pid, err := socket(protocol, 0)
	if err != nil {
		return nil, err
	}
	c := &Conn{fd: fd, pid: pid, buf: make([]byte, readSize)}
	// The kernel answers within the call; a reply that does not come is a
	// defect, and no reason to stand still for ever.
	timeout := unix.Timeval{Sec: 30}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return nil, errors.Join(failed("setsockopt SO_RCVTIMEO", err), c.Close())
	}
	return c, nil
}

// socket opens and binds a netlink socket and returns its port id.
func socket(protocol, flags int) (fd int, pid uint32, err error) {
	fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|flags, protocol)
	if err != nil {
		return -1, 0, failed("open a netlink socket", err)
	}
	pid, err = bind(fd)
	if err != nil {
		return -1, 0, errors.Join(err, unix.Close(fd))
	}
	// Extended texts and strict checking make errors clearer and dumps
	// smaller. Kernels before 4.12 and 4.20 have neither and do without.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	return fd, pid, nil
}

func bind(fd int) (uint32, error) {
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, failed("bind a netlink socket", err)
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return 0, failed("ask for the port id of a netlink socket", err)
	}
	nl, ok := addr.(*unix.SockaddrNetlink)
	if !ok {
		return 0, fmt.Errorf("a netlink socket has an address of type %T", addr)
	}
	return nl.Pid, nil
}

func failed(to string, err error) error { return fmt.Errorf("%s: %w", to, err) }

// PID is the socket's port id, by which notifications name who made a change.
func (c *Conn) PID() uint32 { return c.pid }

// Close closes the socket.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// Fault is the failure of one message of a batch.
type Fault struct {
	Message int // number within the batch
	Err     error
}

// Exec sends the batch and returns the failures in the order of messages. The
// kernel goes on after a message that fails. A message may be carried out
// twice if replies are lost, so each must be one that can be repeated.
func (c *Conn) Exec(b *Batch) []Fault {
	var faults []Fault
	for lo := 0; lo < b.Len(); {
		hi := lo + 1
		for hi < b.Len() && hi-lo < chunkMessages && b.end(hi)-b.starts[lo] <= chunkBytes {
			hi++
		}
		faults = append(faults, c.chunk(b, lo, hi)...)
		lo = hi
	}
	return faults
}

// chunk carries out the messages lo..hi-1 and does it again in small pieces if
// they did not fit a buffer.
func (c *Conn) chunk(b *Batch, lo, hi int) []Fault {
	faults, err := c.exchange(b, lo, hi)
	if err == nil {
		return faults
	}
	c.drain()
	if !IsTooMuch(err) || hi-lo == 1 {
		return allFail(lo, hi, err)
	}
	faults = nil
	step := min(fewMessages, (hi-lo+1)/2)
	for ; lo < hi; lo += step {
		faults = append(faults, c.chunk(b, lo, min(lo+step, hi))...)
	}
	return faults
}

func allFail(lo, hi int, err error) []Fault {
	faults := make([]Fault, 0, hi-lo)
	for i := lo; i < hi; i++ {
		faults = append(faults, Fault{i, err})
	}
	return faults
}

// exchange sends the messages lo..hi-1 in one go and reads until the last one
// is answered.
func (c *Conn) exchange(b *Batch, lo, hi int) (faults []Fault, err error) {
	first := c.seq + 1
	c.seq += uint32(hi - lo)
	if err := c.write(b.seal(lo, hi, first)); err != nil {
		return nil, err
	}
	_, err = c.receive(func(m Message) (end bool, _ error) {
		i := m.Seq - first // wraps for what belongs to an earlier request
		if m.Type != unix.NLMSG_ERROR || i >= uint32(hi-lo) {
			return false, nil
		}
		if err := fault(m); err != nil {
			faults = append(faults, Fault{lo + int(i), err})
		}
		return m.Seq == c.seq, nil
	})
	if err != nil {
		return nil, err
	}
	return faults, nil
}

// receive calls take with each message that arrives, until it says that one
// was the last. ended is false if messages may be left, because one
// could not be read.
func (c *Conn) receive(take func(Message) (end bool, err error)) (ended bool, err error) {
	for {
		data, err := c.read()
		if err != nil {
			return false, err
		}
		for len(data) > 0 {
			var m Message
			if m, data, err = cut(data); err != nil {
				return false, err
			}
			if end, err := take(m); end {
				return true, err
			}
		}
	}
}

func (c *Conn) write(data []byte) error {
	for {
		_, err := unix.Write(c.fd, data)
		if err != unix.EINTR {
			return err
		}
	}
}

func (c *Conn) read() ([]byte, error) {
	for {
		n, err := unix.Read(c.fd, c.buf)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return nil, syscall.ETIMEDOUT
		case err != nil:
			return nil, err
		default:
			return c.buf[:n], nil
		}
	}
}

// drain throws away replies that are left over, to make room for new ones.
func (c *Conn) drain() {
	for {
		_, _, err := unix.Recvfrom(c.fd, c.buf, unix.MSG_DONTWAIT)
		if err != nil && err != unix.EINTR && err != unix.ENOBUFS {
			return
		}
	}
}
