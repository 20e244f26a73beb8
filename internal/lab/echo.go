package lab

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// echoLabel is the payload of one ping: its series and number.
type echoLabel struct {
	run uint64 // random, one for each series of pings
	seq uint64 // from 0
}

const echoLabelSize = 16

func (e echoLabel) bytes() []byte {
	b := binary.BigEndian.AppendUint64(nil, e.run)
	return binary.BigEndian.AppendUint64(b, e.seq)
}

func parseEchoLabel(b []byte) (echoLabel, bool) {
	if len(b) != echoLabelSize {
		return echoLabel{}, false
	}
	return echoLabel{run: binary.BigEndian.Uint64(b), seq: binary.BigEndian.Uint64(b[8:])}, true
}

// echoSocket sends echo requests to one address and receives its replies.
type echoSocket struct {
	conn *icmp.PacketConn
	to   netip.Addr
	run  uint64
}

// openEcho opens a raw ICMP socket in the node.
func (n *Node) openEcho(to netip.Addr) (*echoSocket, error) {
	network, any := "ip4:icmp", "0.0.0.0"
	if to.Is6() {
		network, any = "ip6:ipv6-icmp", "::"
	}
	s := &echoSocket{to: to, run: rand.Uint64()}
	err := n.Do(func() (err error) {
		s.conn, err = icmp.ListenPacket(network, any)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: open a socket to ping %s: %w", n.Name, to, err)
	}
	return s, nil
}

func (s *echoSocket) send(seq uint64) error {
	echo := icmp.Echo{ID: int(s.run & 0xffff), Seq: int(seq & 0xffff), Data: echoLabel{s.run, seq}.bytes()}
	message := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &echo}
	if s.to.Is6() {
		message.Type = ipv6.ICMPTypeEchoRequest
	}
	packet, err := message.Marshal(nil) // the kernel fills in the IPv6 checksum
	if err != nil {
		return fmt.Errorf("ping %s: %w", s.to, err)
	}
	_, err = s.conn.WriteTo(packet, &net.IPAddr{IP: s.to.AsSlice()})
	return err
}

// receive waits for the next reply to this socket's requests and returns its number. Its error
// means that the socket was closed.
func (s *echoSocket) receive(buffer []byte) (uint64, error) {
	protocol := ipv4.ICMPTypeEcho.Protocol()
	if s.to.Is6() {
		protocol = ipv6.ICMPTypeEchoRequest.Protocol()
	}
	for {
		size, _, err := s.conn.ReadFrom(buffer)
		if err != nil {
			return 0, err
		}
		message, err := icmp.ParseMessage(protocol, buffer[:size])
		if err != nil {
			continue // Not for us: a raw socket sees all of the node's ICMP.
		}
		echo, ok := message.Body.(*icmp.Echo)
		if !ok || (message.Type != ipv4.ICMPTypeEchoReply && message.Type != ipv6.ICMPTypeEchoReply) {
			continue
		}
		if label, ok := parseEchoLabel(echo.Data); ok && label.run == s.run {
			return label.seq, nil
		}
	}
}
