package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// BreakChecksums makes the host's uplink one that does not complete checksums of what is inside a
// tunnel, though the kernel leaves them to it. All other packets pass as they are. It lasts until
// RepairChecksums or the end of the lab.
func (l *Lab) BreakChecksums(h *Host) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cards[h.Name] != nil {
		return nil
	}
	c, err := l.insertCard(h)
	if err != nil {
		return fmt.Errorf("%s: break the checksums of its uplink: %w", h.Name, err)
	}
	if l.cards == nil {
		l.cards = map[string]*card{}
	}
	l.cards[h.Name] = c
	return nil
}

// RepairChecksums undoes BreakChecksums.
func (l *Lab) RepairChecksums(h *Host) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.cards[h.Name]
	if c == nil {
		return nil
	}
	delete(l.cards, h.Name)
	return errors.Join(c.close(), l.fabric.link("remove", cardOf(h), netlink.LinkDel), l.plugBack(h))
}

// Unsummed lists the hosts of BreakChecksums, in the topology's order.
func (l *Lab) Unsummed() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(l.HostNames(), func(name string) bool { return l.cards[name] == nil })
}

func (l *Lab) plugBack(h *Host) error {
	return l.fabric.link("plug "+h.Name+" into", bridgeOf(h.segment.Name), func(bridge netlink.Link) error {
		port, err := netlink.LinkByName(h.Name)
		if err != nil {
			return err
		}
		return netlink.LinkSetMaster(port, bridge)
	})
}

// cardOf names the device in the switch that stands between the host's port and the bridge.
func cardOf(h *Host) string { return "nic-" + h.Name }

// insertCard takes the host's port off the bridge, puts one end of a cable there instead, and carries
// frames between the port and the other end.
func (l *Lab) insertCard(h *Host) (*card, error) {
	in, out := cardOf(h), "net-"+h.Name
	err := l.fabric.Do(func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: in}, PeerName: out})
	})
	if err != nil {
		return nil, err
	}
	// A wire without other offloads: each packet is as large as a frame.
	single := func(link netlink.Link) error { return netlink.LinkSetGSOMaxSegs(link, 1) }
	if err := errors.Join(h.link("segment packets on", Uplink, single), l.fabric.link("segment packets on", out, single)); err != nil {
		return nil, err
	}
	for _, dev := range []string{in, out} {
		if err := l.fabric.link("bring up", dev, netlink.LinkSetUp); err != nil {
			return nil, err
		}
	}
	c := &card{}
	err = l.fabric.Do(func() (err error) {
		if c.host, err = openEnd(h.Name); err != nil {
			return err
		}
		c.network, err = openEnd(in)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	err = l.fabric.link("plug "+out+" into", bridgeOf(h.segment.Name), func(bridge netlink.Link) error {
		port, err := netlink.LinkByName(h.Name)
		if err != nil {
			return err
		}
		other, err := netlink.LinkByName(out)
		if err != nil {
			return err
		}
		return errors.Join(netlink.LinkSetNoMaster(port), netlink.LinkSetMaster(other, bridge))
	})
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	c.group.Go(func() { carry(c.host, c.network, forgetChecksum) })
	c.group.Go(func() { carry(c.network, c.host, func([]byte) {}) })
	return c, nil
}

// card carries frames between a host's port and the network, until it is closed.
type card struct {
	host, network *os.File // packet sockets
	group         sync.WaitGroup
}

func (c *card) close() error {
	var errs []error
	for _, f := range []*os.File{c.host, c.network} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	c.group.Wait()
	return errors.Join(errs...)
}

// openEnd opens a socket for all that comes by a device, with the offsets at which checksums are to
// be completed in front.
func openEnd(dev string) (*os.File, error) {
	link, err := netlink.LinkByName(dev)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), dev)
	everything := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1),
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: link.Attrs().Index}))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare a packet socket: %w", err), file.Close())
	}
	return file, nil
}

// carry takes frames from one device to another, until one is closed. What the kernel does not take is
// lost, as on a wire.
func carry(from, to *os.File, change func([]byte)) {
	buffer := make([]byte, 1<<17)
	for {
		n, err := from.Read(buffer)
		switch {
		case errors.Is(err, unix.ENETDOWN): // once, when the device went down
			continue
		case err != nil:
			return
		}
		change(buffer[:n])
		if _, err := to.Write(buffer[:n]); errors.Is(err, os.ErrClosed) {
			return
		}
	}
}

// Places in struct virtio_net_hdr of linux/virtio_net.h.
const (
	virtioSize  = 10
	virtioStart = 6 // of what the checksum is of, in the frame
)

// forgetChecksum has the kernel take the checksum of a frame for complete that is to be completed
// further in than a tunnel's own headers are.
func forgetChecksum(b []byte) {
	const outer = ethernetSize + 20 + udpSize
	if len(b) < virtioSize || b[0]&unix.VIRTIO_NET_HDR_F_NEEDS_CSUM == 0 {
		return
	}
	if f, _, ok := parseIP(b[virtioSize:]); !ok || f.Protocol != protoUDP || binary.NativeEndian.Uint16(b[virtioStart:]) <= outer+vxlanSize+ethernetSize {
		return
	}
	clear(b[:virtioSize])
}
