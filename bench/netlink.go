package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// The bench speaks rtnetlink itself, with the least that its rows need: a floor
// that ran through the agent's own code would hide that code's cost.

var native = binary.NativeEndian

// batch is a run of requests, to be carried out in as few system calls as fit.
type batch struct {
	data  []byte
	heads []int // where each request begins
}

// add puts a request whose fixed header is head.
func (b *batch) add(typ, flags uint16, head []byte) {
	b.heads = append(b.heads, len(b.data))
	b.data = native.AppendUint32(b.data, 0) // length, see close
	b.data = native.AppendUint16(b.data, typ)
	b.data = native.AppendUint16(b.data, flags|unix.NLM_F_REQUEST)
	b.data = native.AppendUint32(b.data, uint32(len(b.heads)))
	b.data = native.AppendUint32(b.data, 0)
	b.data = append(b.data, head...)
	b.close()
}

// attr adds an attribute to the last request.
func (b *batch) attr(typ uint16, value []byte) {
	b.data = native.AppendUint16(b.data, uint16(unix.SizeofNlAttr+len(value)))
	b.data = native.AppendUint16(b.data, typ)
	b.data = append(b.data, value...)
	b.close()
}

func (b *batch) attr32(typ uint16, value uint32) {
	b.attr(typ, native.AppendUint32(nil, value))
}

// close pads the last request and sets its length.
func (b *batch) close() {
	for len(b.data)%unix.NLMSG_ALIGNTO != 0 {
		b.data = append(b.data, 0)
	}
	head := b.heads[len(b.heads)-1]
	native.PutUint32(b.data[head:], uint32(len(b.data)-head))
}

// sendAtOnce is how many bytes go into one system call; the socket's buffer
// holds them several times over.
const sendAtOnce = 64 << 10

// rtnetlink is a socket to the network namespace of the thread that opened it.
type rtnetlink struct {
	fd  int
	buf []byte
}

func openRTNetlink(groups ...int) (*rtnetlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open an rtnetlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, errors.Join(fmt.Errorf("bind an rtnetlink socket: %w", err), unix.Close(fd))
	}
	for _, g := range groups {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g); err != nil {
			return nil, errors.Join(fmt.Errorf("subscribe to rtnetlink group %d: %w", g, err), unix.Close(fd))
		}
	}
	return &rtnetlink{fd: fd, buf: make([]byte, 256<<10)}, nil
}

func (r *rtnetlink) close() error { return unix.Close(r.fd) }

// do carries out b. Only the last request of each system call asks for a
// reply; one that fails is reported all the same.
func (r *rtnetlink) do(b *batch) error {
	for lo := 0; lo < len(b.heads); {
		hi := lo + 1
		for hi < len(b.heads) && b.end(hi)-b.heads[lo] <= sendAtOnce {
			hi++
		}
		last := b.heads[hi-1]
		native.PutUint16(b.data[last+6:], native.Uint16(b.data[last+6:])|unix.NLM_F_ACK)
		if _, err := unix.Write(r.fd, b.data[b.heads[lo]:b.end(hi-1)]); err != nil {
			return fmt.Errorf("send %d requests: %w", hi-lo, err)
		}
		if err := r.await(uint32(hi)); err != nil {
			return err
		}
		lo = hi
	}
	return nil
}

// end is where request i ends.
func (b *batch) end(i int) int {
	if i+1 < len(b.heads) {
		return b.heads[i+1]
	}
	return len(b.data)
}

// await reads until the request seq is acknowledged.
func (r *rtnetlink) await(seq uint32) error {
	for {
		done, err := r.read(func(m message) (bool, error) {
			if m.typ != unix.NLMSG_ERROR || len(m.data) < 4 {
				return false, nil
			}
			if code := int32(native.Uint32(m.data)); code != 0 {
				return true, fmt.Errorf("request %d of a batch: %w", m.seq, syscall.Errno(-code))
			}
			return m.seq == seq, nil
		})
		if done || err != nil {
			return err
		}
	}
}

// message is one that the kernel sent; its data is valid until the next read.
type message struct {
	typ  uint16
	seq  uint32
	data []byte
}

// read receives one datagram and hands its messages to fn until that has had
// enough.
func (r *rtnetlink) read(fn func(message) (done bool, err error)) (done bool, err error) {
	n, err := unix.Read(r.fd, r.buf)
	if err == unix.EINTR {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for data := r.buf[:n]; len(data) >= unix.SizeofNlMsghdr; {
		size := int(native.Uint32(data))
		if size < unix.SizeofNlMsghdr || size > len(data) {
			return false, errors.New("the kernel sent a netlink message that is cut short")
		}
		m := message{typ: native.Uint16(data[4:]), seq: native.Uint32(data[8:]), data: data[unix.SizeofNlMsghdr:size]}
		if done, err := fn(m); done || err != nil {
			return done, err
		}
		data = data[min((size+3)&^3, len(data)):]
	}
	return false, nil
}

// count dumps what a request with a header asks for and counts what matches.
func (r *rtnetlink) count(typ uint16, head []byte, matches func(data []byte) bool) (int, error) {
	var b batch
	b.add(typ, unix.NLM_F_DUMP, head)
	if _, err := unix.Write(r.fd, b.data); err != nil {
		return 0, err
	}
	total := 0
	for {
		done, err := r.read(func(m message) (bool, error) {
			switch {
			case m.typ == unix.NLMSG_DONE:
				return true, nil
			case m.typ == unix.NLMSG_ERROR && len(m.data) >= 4:
				return true, syscall.Errno(-int32(native.Uint32(m.data)))
			case matches(m.data):
				total++
			}
			return false, nil
		})
		if done || err != nil {
			return total, err
		}
	}
}
