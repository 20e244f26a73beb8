package echo

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/kernel/codec"
	"github.com/weft-net/weft/internal/netstate"
)

// Trial is a UDP datagram, or the first packet of a TCP connection, to a port on
// which nobody listens. Where it arrives with a right checksum the kernel refuses
// it. It opens no port here, and passes no firewall of this host on its way out or
// back.
type Trial struct {
	ID           uint16 // below TrialIDs; of those under way at a time each has another
	TCP          bool   // not UDP
	Offload      bool   // whoever sends the frame is to complete the checksum, as of packets of the kernel's own sockets
	Source, Dest netip.Addr
	Way
}

// TrialIDs bounds the ids of trials.
const TrialIDs = 90

// Refusal says that a trial has arrived intact.
type Refusal struct {
	ID   uint16
	TCP  bool
	From netip.Addr
}

// trialsIdle is how long nothing is tried before refusals are heard no more: while
// they are, the kernel shows the sockets each packet of the tunnel.
const trialsIdle = 5 * time.Second

// trials are the sockets of trials.
type trials struct {
	out  int       // sends frames behind a virtioHeader
	ends [2]end    // IPv4, IPv6
	last time.Time // that something was tried
}

// end is a device by which trials leave and refusals come.
type end struct {
	fd    int   // of a socket that receives what may be a refusal
	index int32 // 0: of no device
	mac   netstate.MAC
}

func openTrials(port uint16) (t trials, err error) {
	t = noTrials
	if t.out, err = openVirtio(); err != nil {
		return noTrials, err
	}
	for i, filter := range [][]unix.SockFilter{refusals4(port), refusals6(port)} {
		if t.ends[i].fd, err = openRefusals(filter); err != nil {
			return noTrials, errors.Join(err, t.close())
		}
	}
	return t, nil
}

var noTrials = trials{out: -1, ends: [2]end{{fd: -1}, {fd: -1}}}

func (t *trials) close() error {
	var errs []error
	for _, fd := range []int{t.out, t.ends[0].fd, t.ends[1].fd} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	return errors.Join(errs...)
}

// Try sends a trial. The error wraps ErrNoWay where that is why it did not leave.
func (c *Conn) Try(t Trial) error {
	if err := c.try(t); err != nil {
		return fmt.Errorf("send a packet to %s whose checksum is tried: %w", t.Dest, meaning(err))
	}
	return nil
}

func (c *Conn) try(t Trial) error {
	index, err := c.indexOf(t.Dev)
	if err != nil {
		return err
	}
	end, err := c.end(index, t.Dest)
	if err != nil {
		return err
	}
	c.trials.last = time.Now()
	c.buf = appendTrial(c.buf[:0], t, end.mac, c.trialPort())
	to := &unix.SockaddrLinklayer{Protocol: network(protocolTo(t.Dest)), Ifindex: int(index)}
	return unix.Sendto(c.trials.out, c.buf, unix.MSG_DONTWAIT, to)
}

// trialPort is the source port of trials. It is below those that the kernel gives
// to sockets (ip_local_port_range).
func (c *Conn) trialPort() uint16 { return 1<<14 | c.id&(1<<14-1) }

// end returns the device with an index, by which refusals from dest are heard from
// now on.
func (c *Conn) end(index int32, dest netip.Addr) (*end, error) {
	e := &c.trials.ends[0]
	if dest.Is6() {
		e = &c.trials.ends[1]
	}
	if e.index == index {
		return e, nil
	}
	err := codec.ReadLink(c.link, index, "", func(l codec.Link) { copy(e.mac[:], l.MAC) })
	if err != nil {
		return nil, err
	}
	if err := e.bind(index, protocolTo(dest)); err != nil {
		return nil, err
	}
	e.index = index
	return e, nil
}

// bind has the socket hear packets of a protocol that come by a device.
func (e *end) bind(index int32, protocol uint16) error {
	return unix.Bind(e.fd, &unix.SockaddrLinklayer{Protocol: network(protocol), Ifindex: int(index)})
}

// rest has refusals heard no more.
func (t *trials) rest() {
	for i := range t.ends {
		if e := &t.ends[i]; e.index != 0 {
			_ = e.bind(e.index, unix.ETH_P_802_3) // which nothing has; without the device the socket hears nothing either
			e.index = 0
		}
	}
}

// Refused calls yield with the refusals that have arrived, and does not wait.
func (c *Conn) Refused(yield func(Refusal)) {
	buf := c.buf[:cap(c.buf)]
	for _, e := range c.trials.ends {
		for e.index != 0 {
			n, _, err := unix.Recvfrom(e.fd, buf, unix.MSG_DONTWAIT)
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENETDOWN) { // the latter once, when the device went down
				continue
			}
			if err != nil {
				break
			}
			if r, ok := parseRefusal(buf[:n], c.trialPort()); ok {
				yield(r)
			}
		}
	}
	if time.Since(c.trials.last) > trialsIdle {
		c.trials.rest()
	}
}

// openVirtio opens a socket that sends frames behind a virtioHeader.
func openVirtio() (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("open a socket for frames: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
		return -1, errors.Join(fmt.Errorf("leave checksums to the device: %w", err), unix.Close(fd))
	}
	return fd, nil
}

// openRefusals opens a socket that receives what may be a refusal, once it is bound.
// It sees packets before any firewall does.
func openRefusals(filter []unix.SockFilter) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0) // 0: receives nothing
	if err != nil {
		return -1, fmt.Errorf("open a socket for refusals: %w", err)
	}
	if err := attach(fd, filter); err != nil {
		return -1, errors.Join(fmt.Errorf("prepare a socket for refusals: %w", err), unix.Close(fd))
	}
	return fd, nil
}

// refusals4 lets ICMP that a destination is unreachable pass, and TCP to a port.
func refusals4(port uint16) []unix.SockFilter {
	return []unix.SockFilter{
		{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0},
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 9},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 2, K: protoICMP},
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_IND, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 3, Jf: 4, K: unreachable4},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 3, K: protoTCP},
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_IND, K: 2},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: uint32(port)},
		{Code: unix.BPF_RET | unix.BPF_K, K: 256},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
}

// refusals6 is the same for IPv6.
func refusals6(port uint16) []unix.SockFilter {
	return []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 6},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 2, K: protoICMPv6},
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: header6},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 3, Jf: 4, K: unreachable6},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 3, K: protoTCP},
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: header6 + 2},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: uint32(port)},
		{Code: unix.BPF_RET | unix.BPF_K, K: 256},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
}
