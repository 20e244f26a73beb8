package echo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

// Most replies a second: more than a host is probed with.
const (
	reflectRate  = 200
	reflectBurst = 50
)

// Ways returns the ways on which the host with the address from may ask, and
// this host answer from the address to.
type Ways func(from, to netip.Addr) []Way

// Reflect answers requests that were sent by a device without a route by the
// same device, until ctx ends. The kernel answers them as well, but by its routes:
// a path between two hosts that send to each other by another one would only be
// measured in one direction, and where the other one is broken in neither.
func Reflect(ctx context.Context, ways Ways) error {
	group, ctx := errgroup.WithContext(ctx)
	limit := rate.NewLimiter(reflectRate, reflectBurst)
	for _, v6 := range []bool{false, true} {
		r, err := openReflector(v6, ways, limit)
		if v6 && errors.Is(err, unix.EAFNOSUPPORT) {
			continue
		}
		if err != nil {
			group.Go(func() error { return err })
			break
		}
		group.Go(func() error { return r.run(ctx) })
	}
	return group.Wait()
}

// reflector answers the requests of one family.
type reflector struct {
	frames
	v6      bool
	file    *os.File // of the socket, so that a goroutine can wait for it
	ways    Ways
	limit   *rate.Limiter
	buf     []byte
	control []byte
	reply   []byte
}

func openReflector(v6 bool, ways Ways, limit *rate.Limiter) (*reflector, error) {
	fd, err := openRequests(v6)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "icmp")
	out, err := openFrames()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &reflector{frames: out, v6: v6, file: file, ways: ways, limit: limit, buf: make([]byte, 1<<16), control: make([]byte, 256)}, nil
}

// run answers until ctx ends.
func (r *reflector) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = r.file.Close() }) // which ends the wait below
	defer func() {
		if stop() {
			_ = r.file.Close()
		}
		_ = r.frames.close()
	}()
	conn, err := r.file.SyscallConn()
	for err == nil {
		err = conn.Read(func(fd uintptr) bool { return r.receive(int(fd)) })
	}
	return errors.Join(ctx.Err(), err)
}

// receive answers what has arrived, and reports false to wait for more.
func (r *reflector) receive(fd int) bool {
	for {
		n, size, _, from, err := unix.Recvmsg(fd, r.buf, r.control, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil: // nothing more, or nothing that the next call would not tell
			return false
		default:
			to, index := arrivedAt(r.control[:size])
			r.answer(body(r.buf[:n], r.v6), addrOf(from), to, index)
		}
	}
}

// answer answers a request that came by the device with that index.
func (r *reflector) answer(request []byte, from, to netip.Addr, index int32) {
	if len(request) < icmpHeader || !to.IsValid() || !r.limit.Allow() {
		return
	}
	for _, w := range r.ways(from, to) {
		if on, err := r.indexOf(w.Dev); err != nil || on != index {
			continue
		}
		r.reply = appendReply(r.reply[:0], request, to, from)
		_ = r.send(r.reply, from, w) // the other host notices
		return
	}
}

// openRequests opens a socket that receives requests with the word alone.
func openRequests(v6 bool) (int, error) {
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if v6 {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return -1, fmt.Errorf("open a socket for ICMP requests: %w", err)
	}
	if v6 {
		err = errors.Join(onlyType6(fd, request6), unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1))
	} else {
		err = errors.Join(onlyType4(fd, request4), unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1))
	}
	word := binary.BigEndian.Uint32([]byte(reflectWord))
	err = errors.Join(err, attach(fd, only(v6, unix.BPF_W, icmpHeader+markSize+timeSize, word)))
	if err != nil {
		return -1, errors.Join(fmt.Errorf("prepare a socket for ICMP requests: %w", err), unix.Close(fd))
	}
	return fd, nil
}

// arrivedAt returns the address that a packet was for, and the index of the
// device that it came by.
func arrivedAt(control []byte) (to netip.Addr, index int32) {
	for len(control) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		switch { // struct in_pktinfo of linux/in.h, struct in6_pktinfo of linux/ipv6.h
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			return netip.AddrFrom4([4]byte(data[8:12])), int32(binary.NativeEndian.Uint32(data))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			return netip.AddrFrom16([16]byte(data[:16])), int32(binary.NativeEndian.Uint32(data[16:]))
		}
		control = rest
	}
	return netip.Addr{}, 0
}
