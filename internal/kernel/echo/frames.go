package echo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/rtnl"
	"github.com/weft-net/weft/internal/netstate"
)

// Way is how packets reach a host without a route.
type Way struct {
	Dev  string       // the device that the frame leaves by
	MAC  netstate.MAC // whom it is for; zero: the neighbour Next on Dev
	Next netip.Addr

	// Carrier is the protocol of the IPv4 packet that carries it to Next, where devices
	// take no frames: packets leave by the route to Next then. 0: none carries it.
	Carrier uint8
}

// frames sends packets by ways.
type frames struct {
	fd      int
	carrier int // socket for whole IPv4 packets
	link    *rtnl.Conn
}

var noFrames = frames{fd: -1, carrier: -1}

func openFrames() (frames, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0) // 0: receives nothing
	if err != nil {
		return noFrames, fmt.Errorf("open a socket for frames: %w", err)
	}
	carrier, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW) // receives nothing
	if err != nil {
		return noFrames, errors.Join(fmt.Errorf("open a socket for packets: %w", err), unix.Close(fd))
	}
	link, err := rtnl.Open()
	if err != nil {
		return noFrames, errors.Join(err, unix.Close(fd), unix.Close(carrier))
	}
	return frames{fd, carrier, link}, nil
}

func (f frames) close() error {
	if f.fd < 0 {
		return nil
	}
	return errors.Join(unix.Close(f.fd), unix.Close(f.carrier), f.link.Close())
}

// send sends a whole IP packet to dst.
func (f frames) send(packet []byte, dst netip.Addr, w Way) error {
	index, err := f.indexOf(w.Dev)
	if err != nil {
		return err
	}
	if w.Carrier != 0 {
		return f.carry(packet, w)
	}
	mac := w.MAC
	if mac == (netstate.MAC{}) {
		if mac, err = f.neighbour(w.Next, index); err != nil {
			return err
		}
	}
	to := &unix.SockaddrLinklayer{Protocol: network(protocolTo(dst)), Ifindex: int(index), Halen: uint8(len(mac))}
	copy(to.Addr[:], mac[:])
	return unix.Sendto(f.fd, packet, unix.MSG_DONTWAIT, to)
}

// carry sends a packet within another one. The kernel fills in the source, which is that of
// the route.
func (f frames) carry(packet []byte, w Way) error {
	outer := appendHeader(make([]byte, 0, header4+len(packet)), w.Carrier, 0, netip.IPv4Unspecified(), w.Next, header4+len(packet))
	return unix.Sendto(f.carrier, append(outer, packet...), unix.MSG_DONTWAIT, sockaddr(w.Next))
}

// protocolTo is the Ethernet protocol of packets to dst.
func protocolTo(dst netip.Addr) uint16 {
	if dst.Is6() {
		return unix.ETH_P_IPV6
	}
	return unix.ETH_P_IP
}

// network returns a number in network byte order.
func network(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}

// indexOf returns the index of a device, 0 of none.
func (f frames) indexOf(dev string) (int32, error) {
	if dev == "" {
		return 0, nil
	}
	req, err := unix.NewIfreq(dev)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(f.fd, unix.SIOCGIFINDEX, req); err != nil {
		return 0, err
	}
	return int32(req.Uint32()), nil
}
