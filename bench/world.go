package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/netns"
)

// The underlay is one segment, wide enough for every peer's address, so that
// host-gw reaches all of them.
var (
	underlay  = netip.MustParsePrefix("192.168.0.0/16")
	hubAddr   = netip.MustParseAddr("192.168.0.1") // where etcd serves
	agentAddr = netip.MustParseAddr("192.168.0.2")
)

const (
	uplink = "eth0"
	hubEnd = "hub0"
)

// world is one host: a network namespace with a veth uplink to the namespace
// of the bench, in which etcd serves.
type world struct{ ns *netns.NS }

// addressHub gives the bench's own namespace its address: the store serves
// there before there is any host.
func addressHub() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	err = netlink.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(hubAddr, hubAddr.BitLen())})
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

func newWorld() (*world, error) {
	ns, err := netns.New("bench")
	if err != nil {
		return nil, err
	}
	w := &world{ns: ns}
	if err := w.wire(); err != nil {
		return nil, errors.Join(fmt.Errorf("wire up a host: %w", err), w.close())
	}
	return w, nil
}

func (w *world) wire() error {
	link := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: hubEnd},
		PeerName:  uplink, PeerNamespace: netlink.NsFd(w.ns.FD()),
	}
	if err := netlink.LinkAdd(link); err != nil {
		return err
	}
	if err := address(hubEnd, hubAddr); err != nil {
		return err
	}
	return w.ns.Do(func() error {
		if err := address(uplink, agentAddr); err != nil {
			return err
		}
		link, err := netlink.LinkByName(uplink)
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.IP(hubAddr.AsSlice())})
	})
}

func address(name string, a netip.Addr) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(a, underlay.Bits())}); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

func ipNet(a netip.Addr, bits int) *net.IPNet {
	return &net.IPNet{IP: net.IP(a.AsSlice()), Mask: net.CIDRMask(bits, a.BitLen())}
}

// close removes the uplink at once, so that the next host can have its address,
// and gives up the namespace with every row in it.
func (w *world) close() error {
	link, err := netlink.LinkByName(hubEnd)
	if err == nil {
		err = netlink.LinkDel(link)
	}
	return errors.Join(err, w.ns.Close())
}
