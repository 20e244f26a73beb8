package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/netstate"
)

// fault is something that a host suffers.
type fault struct {
	name    string
	inflict func() error
}

const device = "flannel.1"

// faults are all that heal measures. The rows that are broken are those of the
// plan.
func (p *patient) faults() []fault {
	on := func(f func() error) func() error { return func() error { return p.host.Do(f) } }
	routes := p.want.Routes.Slice()
	return []fault{
		{"one route deleted", on(func() error { return flushRoutes(routes[:1]) })},
		{"all routes deleted", on(func() error { return flushRoutes(routes) })},
		{"foreign route in place of a peer's", on(func() error { return hijack(routes[0]) })},
		{"neighbours deleted", on(func() error { return flushNeighbours(unix.AF_INET) })},
		{"FDB entries deleted", on(func() error { return flushNeighbours(unix.AF_BRIDGE) })},
		{"device deleted", on(onDevice(netlink.LinkDel))},
		{"device set down", on(onDevice(netlink.LinkSetDown))},
		{"device renamed", on(onDevice(rename))},
		{"device's MAC changed", on(onDevice(changeMAC))},
		{"forwarding switched off", on(switchOffForwarding)},
		{"firewall table deleted", p.dropTable},
		{"uplink down and up", p.bounce},
	}
}

// dropTable has nft(8) do it, whose start counts.
func (p *patient) dropTable() error {
	_, err := p.host.Run(context.Background(), "nft", "delete", "table", "inet", "weft")
	return err
}

func onDevice(f func(netlink.Link) error) func() error {
	return func() error {
		link, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		return f(link)
	}
}

func rename(link netlink.Link) error {
	if err := netlink.LinkSetDown(link); err != nil {
		return err
	}
	return netlink.LinkSetName(link, "lost")
}

func changeMAC(link netlink.Link) error {
	return netlink.LinkSetHardwareAddr(link, net.HardwareAddr{2, 0, 0, 0, 0, 0x99})
}

func flushRoutes(routes []netstate.Route) error {
	for _, r := range routes {
		if err := netlink.RouteDel(&netlink.Route{Dst: ipNet(r.Dst.Addr(), r.Dst.Bits())}); err != nil {
			return fmt.Errorf("delete %s: %w", r, err)
		}
	}
	return nil
}

// hijack leads a peer's packets to the router.
func hijack(r netstate.Route) error {
	link, err := netlink.LinkByName(lab.Uplink)
	if err != nil {
		return err
	}
	gateway := netip.MustParseAddr("10.4.7.1")
	return netlink.RouteReplace(&netlink.Route{
		LinkIndex: link.Attrs().Index, Dst: ipNet(r.Dst.Addr(), r.Dst.Bits()), Gw: net.IP(gateway.AsSlice()), Protocol: unix.RTPROT_STATIC,
	})
}

func flushNeighbours(family int) error {
	return onDevice(func(link netlink.Link) error {
		all, err := netlink.NeighList(link.Attrs().Index, family)
		if err != nil {
			return err
		}
		for _, n := range all {
			if n.State&netlink.NUD_PERMANENT == 0 || family == unix.AF_BRIDGE && n.IP == nil {
				continue
			}
			if err := netlink.NeighDel(&n); err != nil {
				return fmt.Errorf("delete neighbour %s: %w", n.String(), err)
			}
		}
		return nil
	})()
}

func switchOffForwarding() error {
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0)
}

// bounce takes the uplink down and up again, with the default route as whoever
// manages the uplink does.
func (p *patient) bounce() error {
	if err := p.host.LinkDown(lab.Uplink); err != nil {
		return err
	}
	return p.host.LinkUp(lab.Uplink)
}
