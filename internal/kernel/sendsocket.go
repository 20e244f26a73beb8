package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// openSocket opens the socket for a packet in the calling thread's namespace.
func openSocket(p Packet) (*socket, error) {
	s := &socket{
		icmp: p.Proto == unix.IPPROTO_ICMP || p.Proto == unix.IPPROTO_ICMPV6, tcp: p.Proto == unix.IPPROTO_TCP,
		v6: p.Src.Is6(), dst: sockaddr(p.Dst, p.Port),
	}
	domain, kind := unix.AF_INET, unix.SOCK_DGRAM
	if s.v6 {
		domain = unix.AF_INET6
	}
	switch {
	case s.icmp:
		kind, s.dst = unix.SOCK_RAW, sockaddr(p.Dst, 0)
	case s.tcp:
		kind = unix.SOCK_STREAM
	}
	var err error
	if s.fd, err = unix.Socket(domain, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(p.Proto)); err != nil {
		return nil, fmt.Errorf("open a socket to send with (root or CAP_NET_RAW is needed): %w", err)
	}
	if err := unix.Bind(s.fd, sockaddr(p.Src, 0)); err != nil {
		return nil, errors.Join(fmt.Errorf("send from %s: %w", p.Src, err), s.close())
	}
	if s.icmp {
		s.id = uint16(rand.Uint32())
		return s, nil
	}
	own, err := unix.Getsockname(s.fd)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	switch a := own.(type) {
	case *unix.SockaddrInet4:
		s.id = uint16(a.Port)
	case *unix.SockaddrInet6:
		s.id = uint16(a.Port)
	}
	return s, nil
}

func sockaddr(a netip.Addr, port uint16) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4(), Port: int(port)}
	}
	return &unix.SockaddrInet6{Addr: a.As16(), Port: int(port)}
}

// exchange sends the packet and reports whether an answer came. That the other end refuses
// it is one.
func (s *socket) exchange() (bool, error) {
	err := s.send()
	switch {
	case errors.Is(err, unix.EINPROGRESS):
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH):
		return false, nil // a rule or route of this host stops it, which the trace tells
	case err != nil:
		return false, fmt.Errorf("send: %w", err)
	}
	end := time.Now().Add(answerTime)
	buf := make([]byte, 2048)
	for left := answerTime; left > 0; left = time.Until(end) {
		events := int16(unix.POLLIN)
		if s.tcp {
			events = unix.POLLOUT
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: events}}, int(left.Milliseconds())+1)
		if err == unix.EINTR || n == 0 {
			continue
		}
		if s.tcp {
			code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
			return err == nil && (code == 0 || code == int(unix.ECONNREFUSED)), nil
		}
		size, _, err := unix.Recvfrom(s.fd, buf, 0)
		switch {
		case errors.Is(err, unix.ECONNREFUSED):
			return true, nil
		case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EACCES):
			return false, nil
		case err == nil && s.isAnswer(buf[:size]):
			return true, nil
		}
	}
	return false, nil
}

// Kinds of ICMP messages.
const (
	echoRequest, echoReply     = 8, 0
	echoRequestV6, echoReplyV6 = 128, 129
)

func (s *socket) send() error {
	if s.tcp {
		return unix.Connect(s.fd, s.dst)
	}
	if !s.icmp {
		if err := unix.Connect(s.fd, s.dst); err != nil {
			return err
		}
		_, err := unix.Write(s.fd, []byte("weft explain"))
		return err
	}
	m := make([]byte, 8, 32)
	m[0] = echoRequest
	if s.v6 {
		m[0] = echoRequestV6 // whose checksum the kernel computes
	}
	binary.BigEndian.PutUint16(m[4:], s.id)
	binary.BigEndian.PutUint16(m[6:], 1)
	m = append(m, "weft explain"...)
	if !s.v6 {
		binary.BigEndian.PutUint16(m[2:], checksum(m))
	}
	return unix.Sendto(s.fd, m, 0, s.dst)
}

// checksum is that of RFC 1071 of an even number of bytes.
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// isAnswer reports whether what was received is the answer: a raw socket hears all of ICMP.
func (s *socket) isAnswer(b []byte) bool {
	if !s.icmp {
		return true
	}
	reply := byte(echoReplyV6)
	if !s.v6 {
		if len(b) < 20 || len(b) < int(b[0]&15)*4 {
			return false
		}
		b, reply = b[int(b[0]&15)*4:], echoReply // behind the IP header
	}
	return len(b) >= 8 && b[0] == reply && binary.BigEndian.Uint16(b[4:]) == s.id
}
