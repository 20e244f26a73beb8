package echo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// openRaw opens a socket that sends ICMP by the routes that the kernel takes,
// and receives the replies with this id alone.
func openRaw(v6 bool, id uint16) (int, error) {
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if v6 {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return -1, fmt.Errorf("open a socket for ICMP: %w", err)
	}
	if err := prepare(fd, v6, id); err != nil {
		return -1, errors.Join(fmt.Errorf("prepare a socket for ICMP: %w", err), unix.Close(fd))
	}
	return fd, nil
}

// icmpFilter is ICMP_FILTER of linux/icmp.h: a bit for each type that is not
// wanted.
const icmpFilter = 1

// prepare has the socket send packets of any size that its device carries, not
// to be fragmented, whatever the kernel thinks of the path's MTU.
func prepare(fd int, v6 bool, id uint16) error {
	err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	if v6 {
		err = errors.Join(err,
			onlyType6(fd, reply6),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE))
	} else {
		err = errors.Join(err,
			onlyType4(fd, reply4),
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE))
	}
	return errors.Join(err, attach(fd, only(v6, unix.BPF_H, 4, uint32(id)))) // the id's place in RFC 792
}

// onlyType4 has an IPv4 socket receive messages of a type alone.
func onlyType4(fd int, kind byte) error {
	return unix.SetsockoptInt(fd, unix.SOL_RAW, icmpFilter, -1&^(1<<kind))
}

// onlyType6 has an IPv6 socket receive messages of a type alone.
func onlyType6(fd int, kind byte) error {
	filter := &unix.ICMPv6Filter{}
	for i := range filter.Data {
		filter.Data[i] = ^uint32(0)
	}
	filter.Data[kind/32] &^= 1 << (kind % 32)
	return unix.SetsockoptICMPv6Filter(fd, unix.SOL_ICMPV6, unix.ICMPV6_FILTER, filter)
}

func attach(fd int, program []unix.SockFilter) error {
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

// only is the filter for messages with a value at a place, of BPF_H or BPF_W.
// IPv4 comes with its header.
func only(v6 bool, size uint16, place, value uint32) []unix.SockFilter {
	load := []unix.SockFilter{{Code: unix.BPF_LD | size | unix.BPF_ABS, K: place}}
	if !v6 {
		load = []unix.SockFilter{
			{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0},
			{Code: unix.BPF_LD | size | unix.BPF_IND, K: place},
		}
	}
	return append(load,
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: value},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 16},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0})
}

// sourceOf makes the control message by which a packet leaves with a source
// address, and by the routes of the device with an index, if that is not 0.
func sourceOf(src netip.Addr, index int32) []byte {
	if src.Is6() {
		return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: src.As16(), Ifindex: uint32(index)})
	}
	return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: src.As4(), Ifindex: index})
}

func sockaddr(a netip.Addr) unix.Sockaddr {
	if a.Is6() {
		return &unix.SockaddrInet6{Addr: a.As16()}
	}
	return &unix.SockaddrInet4{Addr: a.As4()}
}

func addrOf(s unix.Sockaddr) netip.Addr {
	switch s := s.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(s.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(s.Addr)
	}
	return netip.Addr{}
}

// arrival returns when the kernel received a packet, now if it does not say.
func arrival(control []byte, now time.Time) time.Time {
	for len(control) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		if h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPNS && len(data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(data)), int64(binary.NativeEndian.Uint64(data[8:])))
		}
		control = rest
	}
	return now
}
